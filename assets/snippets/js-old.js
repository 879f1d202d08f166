import { HfInferenceEndpoint } from '@huggingface/inference'

const hf = new HfInferenceEndpoint('http://127.0.0.1:7860', 'hf_YOUR_TOKEN')

// prompt
const prompt = 'What can you do in Nuremberg, Germany? Give me 3 Tips'

const stream = hf.textGenerationStream({ inputs: prompt })
for await (const r of stream) {
  // yield the generated token
  process.stdout.write(r.token.text)
}
