import { credits } from '@/lib/credits'
import { errorResponse } from '@/lib/error-response'
import { signedInUser } from '@/lib/signed-in-user'

export async function POST(request: Request): Promise<Response> {
  const { jobId, leads } = (await request.json()) as { jobId?: string; leads?: number }
  try {
    const { id, balanceAfter } = await credits.deductCredits({
      userId: signedInUser(request.headers),
      amount: Number(leads),
      creditType: 'enrichment',
      description: `Enriched ${Number(leads)} leads`,
      // One job is charged once, however often the request is sent.
      idempotencyKey: jobId,
    })
    // … do the work here. If it fails: await credits.refundCredits({ transactionId: id })
    return Response.json({ transactionId: id, balance: balanceAfter })
  } catch (error) {
    return errorResponse(error)
  }
}
