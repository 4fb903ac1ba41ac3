import * as z from 'zod'
import type { Commands } from './commands.js'
import type { CreditTypeField, CreditTypes } from './credit-types.js'
import { InvalidInputError, PackageNotFoundError, PaymentsNotConfiguredError } from './errors.js'
import { amount, configuredName, description, identifier, metadata, parseInput } from './inputs.js'
import type { CreditPackage, PackageDraft } from './ports/package-store.js'
import type { PaymentProvider } from './ports/payments.js'
import type { CreditStore } from './ports/store.js'

/** Stripe's largest amount, in minor units. */
const MAX_PRICE_MINOR = 99_999_999

const CURRENCIES = new Set(Intl.supportedValuesOf('currency').map((code) => code.toLowerCase()))

/** Lower-case ISO 4217 code, upper case accepted. */
const currency = z
  .string()
  .transform((code) => code.toLowerCase())
  .refine((code) => CURRENCIES.has(code), 'must be an ISO 4217 currency code')

const fields = {
  key: identifier.nullable(),
  name: identifier,
  description: description.nullable(),
  creditAmount: amount,
  price: z.number().int().min(1).max(MAX_PRICE_MINOR),
  currency,
  creditType: configuredName,
  isActive: z.boolean(),
  sortOrder: z.number().int().min(-2_147_483_648).max(2_147_483_647),
  metadata: metadata.nullable(),
  stripePriceId: identifier.nullable(),
}

export const packageId = z.number().int().positive().max(2_147_483_647)

export const createPackageInput = z.object({
  ...fields,
  key: fields.key.default(null),
  description: fields.description.default(null),
  currency: fields.currency.default('usd'),
  creditType: configuredName.optional(),
  isActive: fields.isActive.default(true),
  sortOrder: fields.sortOrder.default(0),
  metadata: fields.metadata.default(null),
  stripePriceId: fields.stripePriceId.default(null),
})

export const upsertPackageInput = createPackageInput.extend({ key: identifier })

/** Only these fields can change; whatever else is sent is not looked at. */
export const updatePackageInput = z.object({ id: packageId, ...z.object(fields).omit({ key: true }).partial().shape })

export const listPackagesInput = z.object({
  creditType: configuredName.optional(),
  includeInactive: z.boolean().default(false),
})

/**
 * A new package: `creditAmount` credits for `price`, in minor units of `currency` (default `usd`), of one unit each. On
 * sale at once unless `isActive` is false; lower `sortOrder` comes first (default 0); `key` is your own unique name for
 * it. `stripePriceId` must charge exactly that price.
 */
export type CreatePackageInput<T extends string = string> = Omit<z.input<typeof createPackageInput>, 'creditType'> &
  CreditTypeField<T>

/**
 * The package with this `key` as a whole, whether or not it is there: what is left out gets its default, not what it
 * was. Fields as of `CreatePackageInput`.
 */
export type UpsertPackageInput<T extends string = string> = Omit<z.input<typeof upsertPackageInput>, 'creditType'> &
  CreditTypeField<T>

/**
 * The package's `id`, and the fields to change; those left out stay. Null empties `description`, `metadata` or
 * `stripePriceId`. `key` can't change. Earlier purchases keep what they promised.
 */
export type UpdatePackageInput<T extends string = string> = Omit<z.input<typeof updatePackageInput>, 'creditType'> & {
  creditType?: T | undefined
}

/** Which packages to list. Default: active ones of every credit type; `includeInactive` shows those off sale, too. */
export type ListPackagesInput<T extends string = string> = Omit<z.input<typeof listPackagesInput>, 'creditType'> & {
  creditType?: T | undefined
}

/** The catalogue: what is for sale. */
export class Packages<T extends string> {
  readonly #types: CreditTypes<T>
  readonly #payments: PaymentProvider | null

  constructor(types: CreditTypes<T>, payments: PaymentProvider | null) {
    this.#types = types
    this.#payments = payments
  }

  async list(store: CreditStore, input: ListPackagesInput<T>): Promise<CreditPackage[]> {
    const { creditType, includeInactive } = parseInput(listPackagesInput, input)
    return store.listPackages({
      creditType: creditType === undefined ? null : this.#types.resolve(creditType),
      includeInactive,
    })
  }

  async create(store: CreditStore, commands: Commands, input: CreatePackageInput<T>): Promise<CreditPackage> {
    const created = await store.savePackage(
      await this.#draft(parseInput(createPackageInput, input)),
      'refuse',
      commands.now(),
    )
    if (created === null) throw new InvalidInputError([{ path: 'key', message: 'belongs to another package' }])
    return created
  }

  async upsert(store: CreditStore, commands: Commands, input: UpsertPackageInput<T>): Promise<CreditPackage> {
    const saved = await store.savePackage(
      await this.#draft(parseInput(upsertPackageInput, input)),
      'replace',
      commands.now(),
    )
    if (saved === null) throw new Error('Packages.upsert: the store saved nothing')
    return saved
  }

  async update(store: CreditStore, commands: Commands, input: UpdatePackageInput<T>): Promise<CreditPackage> {
    const { id, ...given } = parseInput(updatePackageInput, input)
    const changes = withoutUndefined(given)
    const before = await store.findPackage(id)
    if (before === null) throw new PackageNotFoundError()
    if (changes.creditType !== undefined) this.#types.resolve(changes.creditType)
    const after = { ...before, ...changes }
    // A package that goes off sale may have a price that is off sale, too.
    const sellsAnew = (['price', 'currency', 'stripePriceId'] as const).some((field) => after[field] !== before[field])
    if (after.isActive && (sellsAnew || !before.isActive)) await this.#checkPrice(after)
    const changed = await store.changePackage(id, changes, commands.now())
    if (changed === null) throw new PackageNotFoundError()
    return changed
  }

  async #draft(parsed: Omit<PackageDraft, 'creditType'> & { creditType?: string | undefined }): Promise<PackageDraft> {
    const draft = { ...parsed, creditType: this.#types.resolve(parsed.creditType) }
    await this.#checkPrice(draft)
    return draft
  }

  /** A price object at the provider must charge what the package says; we grant by what we say. */
  async #checkPrice({ stripePriceId, price, currency }: PackageDraft): Promise<void> {
    if (stripePriceId === null) return
    if (this.#payments === null) throw new PaymentsNotConfiguredError()
    const found = await this.#payments.getPrice(stripePriceId)
    const problem =
      found === null || found.recurring
        ? 'is not an active one-time price'
        : found.unitPriceMinor !== price || found.currency !== currency
          ? `costs ${found.unitPriceMinor} ${found.currency}, the package ${price} ${currency} (minor units)`
          : null
    if (problem !== null) throw new InvalidInputError([{ path: 'stripePriceId', message: problem }])
  }
}

function withoutUndefined<O extends object>(object: O): { [K in keyof O]?: Exclude<O[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof O]?: Exclude<O[K], undefined>
  }
}
