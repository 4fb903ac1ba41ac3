// npm run migrate: make or upgrade creditkit's tables in DATABASE_URL. (The embedded database does it by itself.)
import { migrate } from 'creditkit/adapters/postgres'

await migrate()
