/**
 * Bursar for a front end, in one file without dependencies: copy it into your project.
 *
 * It needs `fetch` and `crypto.randomUUID`, which browsers, Node, Deno and Bun have. Amounts are decimal strings and stay
 * such: show them with `formatMoney`, and never calculate with floating-point numbers.
 */

/** An amount as a decimal string, such as "12.50". */
export type Amount = string;
/** A time in RFC 3339. */
export type Time = string;
/** Words that the API may learn more of; keep those that you do not know. */
type Open<Known extends string> = Known | (string & {});

export interface Money {
  amount: Amount;
  currency: string;
}

export type Interval = Open<"month" | "year">;

export interface PlanLimits {
  projects: number | null;
  deploys: number | null;
  seats: number | null;
  api_access: boolean;
  custom_integrations: boolean;
}

export interface Plan {
  id: string;
  name: string;
  prices: { interval: Interval; price: Money }[];
  credits_per_month: Amount;
  limits: PlanLimits;
  trial_days: number;
}

export interface Package {
  id: string;
  name: string;
  credits: Amount;
  price: Money;
  price_per_credit: Money;
}

/** What everybody may know, without a key. */
export interface Config {
  providers: { name: string; currencies: string[] }[];
  stripe_publishable_key: string | null;
  credit_price: Money;
  plans: Plan[];
  packages: Package[];
  slot_price: Money;
}

export interface Subscription {
  id: string;
  plan: string;
  interval: Interval;
  price: Money;
  status: Open<"created" | "incomplete" | "trialing" | "active" | "past_due" | "unpaid" | "ended">;
  period_end: Time | null;
  cancel_at_period_end: boolean;
  pending_change: { plan: string; acts_at: Time } | null;
  /** Where the payer enters a card, while it is `incomplete`. */
  checkout_url: string | null;
}

export interface ChangePreview {
  plan: string;
  kind: Open<"upgrade" | "downgrade">;
  acts_at: Time;
  due: Money;
  credits: Amount;
}

export interface Balance {
  currency: string;
  available: Amount;
  reserved: Amount;
  total: Amount;
  owed: Amount;
  expiring: { amount: Amount; expires_at: Time }[];
}

export interface Movement {
  id: string;
  kind: string;
  amount: Amount;
  currency: string;
  balance_after: Amount;
  reference: string | null;
  effective_at: Time;
}

export type PaymentStatus = Open<
  | "created" | "requires_action" | "processing" | "unknown" | "requires_capture" | "succeeded" | "failed" | "expired"
  | "cancelled" | "partially_refunded" | "refunded" | "disputed" | "charged_back"
>;

export interface Payment {
  id: string;
  status: PaymentStatus;
  amount: Amount;
  currency: string;
  fulfilment: Open<"pending" | "done" | "gone">;
  /** For Stripe's form in the page. */
  client_secret: string | null;
  /** Where the payer goes to pay. */
  approval_url: string | null;
  decline: { code: string; detail: string } | null;
}

export interface TopUp {
  payment_id: string;
  credits: Amount;
  charge: Money;
  status: PaymentStatus;
  client_secret?: string | null;
  approval_url?: string | null;
}

export interface UsageTotal {
  key: string | null;
  amount: Amount;
  quantity: number;
  count: number;
}

export interface Usage {
  from: Time;
  to: Time;
  total: UsageTotal;
  by_action: UsageTotal[];
  by_agent: UsageTotal[];
  by_department: UsageTotal[];
  by_model: UsageTotal[];
  by_day: UsageTotal[];
}

export interface AgentEarnings {
  agent_id: string;
  asset: string;
  earned: Amount;
  paid_out: Amount;
  available: Amount;
  pending: Amount;
}

export interface Earnings {
  payable: { currency: string; available: Amount; pending: Amount; frozen: Amount }[];
  data: AgentEarnings[];
}

export interface Project {
  id: string;
  slug: string;
  name: string;
  deploy_type: Open<"development" | "staging" | "production">;
  is_deployed: boolean;
  occupies_slot: boolean;
  created_at: Time;
}

export interface Limits {
  tier: string;
  projects: { limit: number | null; used: number };
  deployments: { limit: number | null; used: number };
  slots: { free: number; in_use: number; owed: number };
  slot_price: Money;
}

/** How a payer pays: by the default card or a stored one, or on a page of the provider's. */
export type PayBy = { payment_method?: string } | { hosted: true; return_url: string };

/** The problem document of a refusal. Match on `code`; `detail` is for people. */
export interface Problem {
  status: number;
  code: string;
  title: string;
  detail: string;
  request_id?: string;
  [member: string]: unknown;
}

/** The API refused. `code` is explained in docs/reference/errors.md. */
export class Refused extends Error {
  readonly status: number;
  readonly code: string;
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.name = "Refused";
    this.status = problem.status;
    this.code = problem.code;
    this.problem = problem;
  }
}

/** No final answer came. What was asked for may have happened or not: ask again with the same key, and it happens once. */
export class OutcomeUnknown extends Error {
  readonly key: string | undefined;

  constructor(key: string | undefined, cause: unknown) {
    super("No final answer came.", { cause });
    this.name = "OutcomeUnknown";
    this.key = key;
  }
}

export interface Options {
  /** Where the API is, `https://api.example.com`, or the path of your server that passes requests on to it. */
  url: string;
  /** Returns the key for `Authorization`; left out where your server adds it. */
  key?: () => string | Promise<string>;
  fetch?: typeof fetch;
}

interface Asked {
  query?: Record<string, string | number | boolean | undefined>;
  body?: unknown;
  key?: string;
}

/** How long one answer may take, and for how long a request is sent again, in milliseconds. */
const ANSWER = 30_000;
const PATIENCE = 60_000;
const UNDER_WAY: ReadonlySet<string> = new Set(["created", "requires_action", "processing", "unknown"]);

/** Returns a key for something that a person is about to do: make it when the form is shown, not when it is sent. */
export function newKey(): string {
  return crypto.randomUUID();
}

/** Writes an amount as it is booked, with all its decimals, in the manner of a locale. */
export function formatMoney(amount: Amount, currency: string, locale?: string): string {
  const digits = amount.split(".")[1]?.length ?? 0;
  const number = new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${number.format(amount as Intl.StringNumericLiteral)} ${currency === "CREDIT" ? "credits" : currency}`;
}

function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}

export class Bursar {
  readonly #url: string;
  readonly #key: (() => string | Promise<string>) | undefined;
  readonly #fetch: typeof fetch;

  constructor(options: Options) {
    this.#url = options.url.replace(/\/+$/, "");
    this.#key = options.key;
    this.#fetch = options.fetch ?? ((...request) => fetch(...request));
  }

  // What everybody sees.

  config(): Promise<Config> {
    return this.#ask("GET", "/billing/config");
  }

  async plans(): Promise<Plan[]> {
    return (await this.#ask<{ data: Plan[] }>("GET", "/billing/plans")).data;
  }

  // The subscription.

  /** Returns the subscription, or null where there is none that has not ended. */
  async subscription(): Promise<Subscription | null> {
    try {
      return await this.#ask<Subscription>("GET", "/billing/subscription");
    } catch (error) {
      if (error instanceof Refused && error.status === 404) return null;
      throw error;
    }
  }

  /** Subscribes by the default card, or on a page of the provider's: send the payer to `checkout_url` then. */
  subscribe(
    wanted: { plan: string; interval?: Interval; checkout?: boolean; return_url?: string; trial?: boolean },
    key: string,
  ): Promise<Subscription> {
    return this.#ask("POST", "/billing/subscription", { body: wanted, key });
  }

  /** Returns what a change would cost and when it would act. */
  previewChange(plan: string, interval?: Interval): Promise<ChangePreview> {
    return this.#ask("GET", "/billing/subscription/preview", { query: { plan, interval } });
  }

  /** Changes the plan; refused with `subscription.price_changed` where it costs more than `max_amount` by now. */
  changePlan(wanted: { plan: string; interval?: Interval; max_amount?: Amount }, key: string): Promise<Subscription> {
    return this.#ask("PUT", "/billing/subscription", { body: wanted, key });
  }

  cancelSubscription(key: string, atPeriodEnd = true): Promise<Subscription> {
    return this.#ask("DELETE", "/billing/subscription", { query: { at_period_end: atPeriodEnd }, key });
  }

  // Credits.

  balance(): Promise<Balance> {
    return this.#ask("GET", "/billing/balance");
  }

  movements(filter: { from?: Time; to?: Time; kind?: string } = {}): AsyncGenerator<Movement> {
    return this.#pages("/billing/transactions", filter);
  }

  /** Buys an amount of credits. The answer says what the payer has to do; `settled` waits until it is done. */
  topUp(amount: Amount, by: PayBy, key: string): Promise<TopUp> {
    return this.#ask("POST", "/billing/topup", { body: { amount, ...by }, key });
  }

  payment(id: string): Promise<Payment> {
    return this.#ask("GET", `/payments/${encodeURIComponent(id)}`);
  }

  /** Waits until a payment is no longer under way. What the address of a page says is no proof; this is. */
  async settled(id: string, options: { every?: number; signal?: AbortSignal } = {}): Promise<Payment> {
    for (;;) {
      const payment = await this.payment(id);
      const waits = UNDER_WAY.has(payment.status) || (payment.status === "succeeded" && payment.fulfilment === "pending");
      if (!waits) return payment;
      await pause(options.every ?? 1000, options.signal);
    }
  }

  /** Adds up what was used, over at most 92 days. */
  usage(from: Time, to: Time): Promise<Usage> {
    return this.#ask("GET", "/credits/usage/summary", { query: { from, to } });
  }

  // What a creator has earned.

  earnings(period: { start_date?: string; end_date?: string } = {}): Promise<Earnings> {
    return this.#ask("GET", "/billing/earnings", { query: { ...period, limit: 200 } });
  }

  // Projects and slots.

  projects(): AsyncGenerator<Project> {
    return this.#pages("/projects", {});
  }

  createProject(wanted: { name: string; deploy_type?: Project["deploy_type"] }): Promise<Project> {
    return this.#ask("POST", "/projects", { body: wanted, key: newKey() });
  }

  /** Deploys a project; refused with `deployment.limit_reached` where plan and slots have no room. */
  deploy(slug: string): Promise<Project> {
    return this.#ask("POST", `/projects/${encodeURIComponent(slug)}/deploy`, { key: newKey() });
  }

  undeploy(slug: string): Promise<Project> {
    return this.#ask("DELETE", `/projects/${encodeURIComponent(slug)}/deploy`, { key: newKey() });
  }

  limits(): Promise<Limits> {
    return this.#ask("GET", "/projects/deployment/limits");
  }

  /** Buys slots; they are there once the payment is settled. */
  buySlots(slots: number, by: PayBy, key: string): Promise<Payment> {
    return this.#ask("POST", "/projects/deployment/purchase-slot", { body: { slots, ...by }, key });
  }

  // How requests are made.

  async *#pages<Row>(path: string, filter: Record<string, string | undefined>): AsyncGenerator<Row> {
    let cursor: string | undefined;
    do {
      const query = { ...filter, limit: 50, cursor };
      const page = await this.#ask<{ data: Row[]; next_cursor?: string | null }>("GET", path, { query });
      yield* page.data;
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
  }

  /** Sends a request until it is answered, for a minute. It keeps its key, so it has its effect once however often it is sent. */
  async #ask<Answer>(method: string, path: string, asked: Asked = {}): Promise<Answer> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(asked.query ?? {})) {
      if (value !== undefined) query.set(name, String(value));
    }
    const url = `${this.#url}/api/v1${path}${query.size > 0 ? `?${query}` : ""}`;
    const headers = {
      ...(this.#key === undefined ? {} : { Authorization: `Bearer ${await this.#key()}` }),
      ...(asked.body === undefined ? {} : { "Content-Type": "application/json" }),
      ...(asked.key === undefined ? {} : { "Idempotency-Key": asked.key }),
    };
    const body = asked.body === undefined ? {} : { body: JSON.stringify(asked.body) };
    const until = Date.now() + (method === "GET" || asked.key !== undefined ? PATIENCE : 0);
    for (let attempt = 0; ; attempt += 1) {
      const backoff = Math.min(500 * 2 ** attempt, 8000) * (0.5 + Math.random() / 2);
      let response: Response;
      try {
        response = await this.#fetch(url, { method, headers, ...body, signal: AbortSignal.timeout(ANSWER) });
        if (response.ok) return (await response.json()) as Answer;
      } catch (error) {
        if (Date.now() + backoff > until) throw new OutcomeUnknown(asked.key, error);
        await pause(backoff);
        continue;
      }
      const refused = new Refused(await problemOf(response));
      const open = response.status >= 500 || refused.code === "idempotency.in_flight";
      if (!open && response.status !== 429) throw refused;
      const wait = Math.max(1000 * (Number(response.headers.get("Retry-After")) || 0), backoff);
      if (Date.now() + wait > until) throw open ? new OutcomeUnknown(asked.key, refused) : refused;
      await pause(wait);
    }
  }
}

/** Reads a problem document; what a proxy answers in its own words has the code `unknown`. */
async function problemOf(response: Response): Promise<Problem> {
  const known = { status: response.status, code: "unknown", title: response.statusText, detail: "The request failed." };
  try {
    return { ...known, ...((await response.json()) as object) };
  } catch {
    return known;
  }
}
