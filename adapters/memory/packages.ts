import type { CreditPackage, PackageDraft, PackageStore } from '../../src/ports/package-store.js'

/** Packages of a memory store. */
export class Packages implements PackageStore {
  readonly #packages = new Map<number, CreditPackage>()

  async listPackages({
    creditType,
    includeInactive,
  }: {
    creditType: string | null
    includeInactive: boolean
  }): Promise<CreditPackage[]> {
    return [...this.#packages.values()]
      .filter((row) => (creditType === null || row.creditType === creditType) && (includeInactive || row.isActive))
      .sort((a, b) => a.sortOrder - b.sortOrder || a.id - b.id)
      .map((row) => structuredClone(row))
  }

  async findPackage(id: number): Promise<CreditPackage | null> {
    return structuredClone(this.#packages.get(id) ?? null)
  }

  async savePackage(
    draft: PackageDraft,
    whenKeyExists: 'replace' | 'refuse',
    now: Date | null,
  ): Promise<CreditPackage | null> {
    const existing = draft.key === null ? undefined : [...this.#packages.values()].find(({ key }) => key === draft.key)
    if (existing !== undefined && whenKeyExists === 'refuse') return null
    const at = now ?? new Date()
    const row = {
      ...structuredClone(draft),
      id: existing?.id ?? this.#packages.size + 1,
      createdAt: existing?.createdAt ?? at,
      updatedAt: at,
    }
    this.#packages.set(row.id, row)
    return structuredClone(row)
  }

  async changePackage(id: number, changes: Partial<PackageDraft>, now: Date | null): Promise<CreditPackage | null> {
    const row = this.#packages.get(id)
    if (row === undefined) return null
    const changed = { ...row, ...structuredClone(changes), updatedAt: now ?? new Date() }
    this.#packages.set(id, changed)
    return structuredClone(changed)
  }
}
