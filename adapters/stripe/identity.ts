import type Stripe from 'stripe'
import type { StripeSettings } from './settings.js'

/** What we put on an object that Stripe keeps, to know it again. */
export function ours(settings: StripeSettings, more: { purchase_id?: string; user_id?: string }): Stripe.MetadataParam {
  return { app: settings.app, ...more }
}

/** Our purchase, if the object's metadata says that it is ours. */
export function purchaseIdOf(metadata: Stripe.Metadata | null | undefined, settings: StripeSettings): string | null {
  return metadata?.app === settings.app ? metadata.purchase_id || null : null
}

/** Our user, if the object's metadata says that it is ours. */
export function userIdOf(metadata: Stripe.Metadata | null | undefined, settings: StripeSettings): string | null {
  return metadata?.app === settings.app ? metadata.user_id || null : null
}

/** Our purchase, if the session's metadata says that it is ours. Only packages are purchases of their own. */
export function sessionPurchaseIdOf(session: Stripe.Checkout.Session, settings: StripeSettings): string | null {
  if (session.metadata?.app !== settings.app || session.mode !== 'payment') return null
  return purchaseIdOf(session.metadata, settings) ?? session.client_reference_id
}

/** Does the session sell something of ours, or save a card for it? */
export function isOurSession(session: Stripe.Checkout.Session, settings: StripeSettings): boolean {
  if (session.metadata?.app !== settings.app) return false
  return session.mode !== 'payment' || sessionPurchaseIdOf(session, settings) !== null
}

/** The id of a reference, expanded or not. */
export function idOf(reference: string | { id: string } | null | undefined): string | null {
  return typeof reference === 'string' ? reference : (reference?.id ?? null)
}

/** Is it the id of such an object? Checked before it becomes part of a URL. */
export function isStripeId(id: string, prefix: 'cs' | 'pi' | 'price' | 'in' | 'sub'): boolean {
  return id.length <= 255 && id.length > prefix.length + 1 && id.startsWith(`${prefix}_`) && /^\w+$/.test(id)
}

/** Stripe's times are whole seconds since the epoch. */
export function toDate(seconds: number): Date {
  return new Date(seconds * 1000)
}

/** A name of any length as an idempotency key, which may be 255 characters long. */
export async function keyOf(name: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(name))
  const hex = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
  return `creditkit:${hex}`
}
