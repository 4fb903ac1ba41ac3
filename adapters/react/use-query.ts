import { useEffect, useRef, useSyncExternalStore } from 'react'
import { type Query, type QueryState, UNASKED } from './query-cache.js'

/** An answer and what is going on with it. */
export interface QueryResult<Data> extends QueryState<Data> {
  /** Ask anew; resolves when the answer is there. */
  refetch: () => Promise<void>
}

// While rendering on a server nothing is asked: the browser does.
const onServer = (): QueryState<never> => UNASKED

export function useQuery<Data>(query: Query<Data>): QueryResult<Data> {
  const state = useSyncExternalStore<QueryState<Data>>(query.listen, query.state, onServer)
  return { ...state, refetch: query.refetch }
}

/** For what comes late, when the component may be gone. */
export function useMounted(): { readonly current: boolean } {
  const isMounted = useRef(false)
  useEffect(() => {
    isMounted.current = true
    return () => {
      isMounted.current = false
    }
  }, [])
  return isMounted
}

export function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}
