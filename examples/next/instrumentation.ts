/** Next calls it once, when a server starts. */
export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME !== 'nodejs') return
  const { seedPackages } = await import('./lib/packages')
  await seedPackages()
}
