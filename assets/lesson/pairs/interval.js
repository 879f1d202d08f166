// Mean and confidence interval of a small sample, by Student's t. The benchmark has the same in demo/interval.py, since it
// runs without a browser, as this runs without the server: a test compares both.

// {mean, variance, error, freedom} of at least two values; `error` is the variance of the mean.
export function describeSample(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const freedom = values.length - 1;
  return { mean, variance: squares / freedom, error: squares / freedom / values.length, freedom };
}

// The mean of at least two values with its 95 % interval, exact for normal errors at any n.
export function estimateMean(values) {
  const { mean, error, freedom } = describeSample(values);
  const margin = tQuantile(freedom) * Math.sqrt(error);
  return { mean, low: mean - margin, high: mean + margin };
}

// The same in another unit; `factor` > 0.
export const scale = ({ mean, low, high }, factor) => ({ mean: mean * factor, low: low * factor, high: high * factor });

// The two-sided quantile of Student's t: 1.96 for infinite degrees of freedom.
export function tQuantile(freedom, within = 0.95) {
  let [low, high] = [0, 1];
  while (tProbability(high, freedom) < within) high *= 2;
  for (let step = 0; step < 60; step += 1) {
    const middle = (low + high) / 2;
    if (tProbability(middle, freedom) < within) low = middle;
    else high = middle;
  }
  return high;
}

// P(|T| < t), by the finite series of Abramowitz & Stegun, 26.7.3 and 26.7.4.
function tProbability(t, freedom) {
  const angle = Math.atan(t / Math.sqrt(freedom));
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const odd = freedom % 2;
  let [term, total] = [odd ? cosine : 1, 0];
  for (let k = 2 + odd; k <= freedom; k += 2) {
    total += term;
    term *= (cosine * cosine * (k - 1)) / k;
  }
  return odd ? (2 / Math.PI) * (angle + sine * total) : sine * total;
}
