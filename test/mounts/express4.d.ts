/** Express 4 under the name it is installed as for these tests; what we use of it is typed as in Express 5. */
declare module 'express4' {
  import express from 'express'
  export default express
}
