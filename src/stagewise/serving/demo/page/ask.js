// Asking the service. The key lives in this variable alone: no storage, no cookie, no address.
let key = "";

/** What the service said instead of an answer. */
export class Refused extends Error {
  constructor(status, told, retry) {
    super(told);
    this.status = status;
    this.retry = retry;
  }
}

export function useKey(text) {
  key = text;
}

/** The JSON of an address; throws Refused. */
export async function get(path) {
  return answered(await send(path, {}));
}

/**
 * Answers for inputs.
 * @param {string} model its name
 * @param {number} top how many classes are told
 * @param {{type: string, body: BodyInit}} request
 */
export async function predict(model, top, request) {
  const path = `/v1/models/${encodeURIComponent(model)}/predict?top=${top}`;
  return answered(await send(path, { method: "POST", headers: { "Content-Type": request.type }, body: request.body }));
}

/** A request of one value in JSON. */
export const one = (value) => ({ type: "application/json", body: JSON.stringify({ input: value }) });

/** A request of several values in JSON. */
export const many = (values) => ({ type: "application/json", body: JSON.stringify({ inputs: values }) });

/** Answers for many values, in requests of at most so many inputs and bytes; `size` tells the bytes of one. */
export async function predictAll(about, values, size, write) {
  const most = Math.max(1, Math.min(about.most.inputs, 64, Math.floor(Math.min(about.most.bytes, 4e6) / size)));
  const answers = [];
  for (let begin = 0; begin < values.length; begin += most) {
    const part = write(values.slice(begin, begin + most));
    answers.push(...(await patiently(() => predict(about.name, topOf(about), part))).answers);
  }
  return answers;
}

/** How many classes are asked for: all, as far as the service tells them. */
export const topOf = (about) => Math.min(1000, Math.max(1, about.target.classes?.length ?? 1));

/** The number that an explanation follows: the probability of a class, else the predicted number. */
export const score = (answer, label) => (label === undefined ? answer.value : (answer.top[label] ?? 0));

async function patiently(work) {
  for (let left = 3; ; left--) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Refused) || !error.retry || error.retry > 5 || !left) throw error;
      await new Promise((go) => setTimeout(go, error.retry * 1000));
    }
  }
}

async function send(path, options) {
  const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  try {
    return await fetch(path, { ...options, headers, credentials: "omit", cache: "no-store", redirect: "error" });
  } catch {
    throw new Refused(0, "The service cannot be reached.");
  }
}

async function answered(response) {
  const content = await response.json().catch(() => ({}));
  if (response.ok) return content;
  const why = content.errors?.map((error) => error.detail).join("; ") || content.detail;
  const title = content.title ?? `The service answered with ${response.status}`;
  throw new Refused(response.status, why ? `${title}: ${why}` : title, Number(response.headers.get("retry-after")) || 0);
}
