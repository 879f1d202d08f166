import { InferenceClient } from '@huggingface/inference'

const client = new InferenceClient('hf_YOUR_TOKEN', { endpointUrl: 'http://127.0.0.1:7860' })

// prompt
const prompt = 'What can you do in Nuremberg, Germany? Give me 3 Tips'

const stream = client.textGenerationStream({ inputs: prompt })
for await (const r of stream) {
  // yield the generated token
  process.stdout.write(r.token.text)
}
