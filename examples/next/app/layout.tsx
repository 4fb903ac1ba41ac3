import './globals.css'
import type { ReactNode } from 'react'

export const metadata = { title: 'Credits' }

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <h1>Credits</h1>
        {children}
      </body>
    </html>
  )
}
