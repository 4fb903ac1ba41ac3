/*
 * npm run example:ai: answers of language models, paid in credits while they stream. The models are the AI SDK's own mocks:
 * no key, no account, no network. Fails as soon as anything is not as expected.
 */
import { deepEqual, equal } from 'node:assert/strict'
import { generateText, stepCountIs, streamText, tool } from 'ai'
import { CreditService, InsufficientCreditsError, isCreditError } from 'creditkit'
import { memoryStore } from 'creditkit/adapters/memory'
import { type MeterOptions, meterModel } from 'creditkit/ai'
import * as z from 'zod'
import { good, note, step, table } from '../demo-output.js'
import { forecaster, speaker } from './models.js'

console.log('creditkit and the AI SDK: streams paid in credits. No key, no account, no network.')

const credits = new CreditService({ creditTypes: ['ai'], store: memoryStore() })
const userId = 'ada'
await credits.addCredits({ userId, amount: 100, description: 'Welcome' })

/** One credit is 0.01 cents: a price list as a provider's, with your margin in it. */
const options: MeterOptions<'ai'> = {
  credits,
  userId,
  price: { inputPerMillion: 12_500, outputPerMillion: 100_000, minimum: 1 },
}
const figures = async () => {
  const { balance, held, totalUsed } = (await credits.getAllBalances(userId)).ai
  return { balance, held, totalUsed }
}

step('An answer, while it streams')

const story = 'Once upon a time there was a credit that wanted to be spent well. '.repeat(6)
const told = streamText({
  model: meterModel(speaker(story, { input: 40, output: 120 }), options),
  prompt: 'Tell me a story.',
  maxOutputTokens: 400,
})
const moments: { moment: string; balance: number; held: number; used: number }[] = []
const look = async (moment: string) => {
  const { balance, held, totalUsed } = await figures()
  moments.push({ moment, balance, held, used: totalUsed })
}
await look('before')
let words = 0
for await (const text of told.textStream) {
  words += 1
  if (words === 40) await look('while it streams')
  process.stdout.write(words <= 13 ? text : '')
}
await look('after')
console.log('…\n')
table(moments)
note(`The estimate was held, the real tokens were charged: ${JSON.stringify((await told.providerMetadata)?.creditkit)}`)
equal((await figures()).held, 0)
deepEqual((await told.providerMetadata)?.creditkit, { credits: 13, uncovered: 0, estimated: false })

step('A tool loop: two calls of the model, each paid on its own')

const weather = tool({ inputSchema: z.object({ city: z.string() }), execute: () => 'sunny' })
const forecast = await generateText({
  model: meterModel(forecaster(), options),
  prompt: 'What is the weather in Rome?',
  tools: { weather },
  stopWhen: stepCountIs(3),
  maxOutputTokens: 200,
  providerOptions: { creditkit: { idempotencyKey: 'message-7' } },
})
note(`${forecast.text} Steps: ${forecast.steps.length}`)
const costs = forecast.steps.map(({ providerMetadata }) => providerMetadata?.creditkit?.credits)
deepEqual(costs, [18, 18])

step('A reader who leaves pays for what has come')

const leaving = new AbortController()
const left = streamText({
  model: meterModel(speaker(story, { input: 40, output: 120 }), options),
  prompt: 'Tell me a story.',
  maxOutputTokens: 300,
  abortSignal: leaving.signal,
})
let heard = 0
for await (const text of left.textStream) {
  heard += text.length
  if (heard > 100) leaving.abort()
}
note(`${heard} of ${story.length} letters were read.`)

step('The credits run out on the way')

const long = speaker(story.repeat(20), { input: 40, output: 2_000 })
const errors: unknown[] = []
const cut = streamText({
  model: meterModel(long, { ...options, estimate: () => 10 }),
  prompt: 'Tell me a very long story.',
  onError: ({ error }) => void errors.push(error),
})
const length = (await cut.text).length
const [error] = errors
equal(isCreditError(error, 'INSUFFICIENT_CREDITS'), true)
equal(await cut.finishReason, 'error')
if (error instanceof InsufficientCreditsError) note(`After ${length} of ${story.length * 20} letters: ${error.message}`)
const { balance, held } = await figures()
equal(held, 0)
equal(balance, 0)
note(`The balance is ${balance}, and was never below 0.`)

step('The account')

const { transactions } = await credits.listTransactions({ userId })
const text = (value: unknown) => (typeof value === 'string' || typeof value === 'number' ? `${value}` : '')
table(
  transactions.reverse().map(({ description, amount, balanceAfter, metadata }) => ({
    description,
    amount,
    balance: balanceAfter,
    'tokens in': text(metadata?.inputTokens),
    'tokens out': text(metadata?.outputTokens),
    ending: metadata?.continues === undefined ? text(metadata?.ending) : '(continued)',
  })),
)
deepEqual((await credits.verify({ userId })).violations, [])
good('Every answer is paid for, every token is accounted for.')
await credits.close()
