'use client'

import { useRouter } from 'next/navigation'
import { useState } from 'react'

export function EnrichForm() {
  const router = useRouter()
  const [message, setMessage] = useState('')

  async function enrich(form: FormData) {
    // The job has its name before the first try, so sending it again is charged once.
    const job = { jobId: crypto.randomUUID(), leads: Number(form.get('leads')) }
    const response = await fetch('/api/enrich', { method: 'POST', body: JSON.stringify(job) })
    setMessage(response.ok ? '' : (await response.json()).message)
    router.refresh()
  }

  return (
    <form action={enrich}>
      <label>
        Leads <input name="leads" type="number" min="1" defaultValue="10" />
      </label>{' '}
      <button>Enrich</button>
      <output>{message}</output>
    </form>
  )
}
