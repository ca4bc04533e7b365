/** The package has no types; this declares the part that the bench uses. */
declare module 'oidc-provider' {
  import type { Server } from 'node:http'

  interface Grant {
    addOIDCScope(scope: string): void
    addResourceScope(resource: string, scope: string): void
    save(): Promise<string>
  }

  export default class Provider {
    constructor(issuer: string, configuration: object)
    Client: { find(id: string): Promise<object> }
    Grant: new (
      properties: object,
    ) => Grant
    RefreshToken: new (
      properties: object,
    ) => { save(): Promise<string> }
    listen(port: number, host: string, listening: () => void): Server
  }
}
