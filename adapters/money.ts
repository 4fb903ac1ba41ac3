/*
 * Money for people. Prices are in the provider's minor units; how many of them make one is a table of its own.
 */

/**
 * Where the provider counts other minor units than ISO 4217, whose table Intl has. Source: Stripe's page on currencies:
 * Icelandic króna and Ugandan shilling keep two decimals for older integrations, the ariary is charged whole.
 */
const PROVIDER_DECIMALS: Record<string, number> = { isk: 2, ugx: 2, mga: 0 }

/** `999, 'usd'` → `$9.99`. */
export function moneyText(locale: string, minor: number, currency: string): string {
  const decimals = decimalsOf(currency)
  const digits = { minimumFractionDigits: Math.min(isoDecimals(currency), decimals), maximumFractionDigits: decimals }
  const format = new Intl.NumberFormat(locale, { style: 'currency', currency: currency.toUpperCase(), ...digits })
  return format.format(minor / 10 ** decimals)
}

/** How many decimals the provider's minor unit stands for. */
export function decimalsOf(currency: string): number {
  return PROVIDER_DECIMALS[currency.toLowerCase()] ?? isoDecimals(currency)
}

function isoDecimals(currency: string): number {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency: currency.toUpperCase() })
  return format.resolvedOptions().maximumFractionDigits ?? 2
}
