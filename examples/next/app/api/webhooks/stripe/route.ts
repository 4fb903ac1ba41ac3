import { webhookHandler } from 'creditkit/adapters/next'
import { credits } from '@/lib/credits'

export const POST = webhookHandler(credits)
