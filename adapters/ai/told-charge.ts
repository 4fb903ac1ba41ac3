import type { CallCharge } from './call-credits.js'
import type { GenerateResult } from './sdk.js'

/** Tell the caller what the call cost: `providerMetadata.creditkit`. */
export function withCharge<R extends { providerMetadata?: GenerateResult['providerMetadata'] }>(
  result: R,
  charge: CallCharge | null,
): R {
  if (charge === null) return result
  const { credits, uncovered, usage } = charge
  const creditkit = { credits, uncovered, estimated: usage.estimated }
  return { ...result, providerMetadata: { ...result.providerMetadata, creditkit } }
}
