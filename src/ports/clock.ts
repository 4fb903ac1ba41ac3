/** A clock to use instead of the store's own; for tests. Production uses the database's clock, the same for everybody. */
export interface Clock {
  now(): Date
}
