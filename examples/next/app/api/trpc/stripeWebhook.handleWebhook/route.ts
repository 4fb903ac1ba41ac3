// The same webhook under the address of the guide. Being a route of its own, it gets the raw body, and tRPC never
// sees Stripe's requests.
export { POST } from '../../webhooks/stripe/route'
