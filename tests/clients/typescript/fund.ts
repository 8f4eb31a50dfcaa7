// Funds an escrow with the types that were generated as api.d.ts: a wrong path, member or header does not compile.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Schemas = components["schemas"];
// Lists answer with CSV as well, which is left out here.
type Json = "application/json" | "application/problem+json";

const client = createClient<paths, Json>({ baseUrl: "http://127.0.0.1:8000", headers: { Authorization: "Bearer bsk_" } });

export async function fund(escrowId: string, key: string): Promise<Schemas["FundedView"]> {
  const { data, error } = await client.POST("/api/v1/escrows/{escrow_id}/fund", {
    params: { path: { escrow_id: escrowId }, header: { "idempotency-key": key } },
    body: { source: "credits" },
  });
  if (error !== undefined) throw new Error(`${error.code}: ${error.detail}`);
  // 202: a case reviews the request, which is repeated with the same key once the case is decided.
  if ("code" in data) throw new Error(`${data.code}: ${data.detail}`);
  return data;
}

export async function* escrows(): AsyncGenerator<Schemas["EscrowView"]> {
  let cursor: string | undefined;
  do {
    const { data, error } = await client.GET("/api/v1/escrows", {
      params: { query: { limit: 50, ...(cursor === undefined ? {} : { cursor }) } },
    });
    if (error !== undefined) throw new Error(error.detail);
    yield* data.data;
    cursor = data.next_cursor ?? undefined;
  } while (cursor !== undefined);
}

// @ts-expect-error: no escrow can be funded by a source that nobody knows.
export const wrong: Schemas["Fund"] = { source: "nothing" };
