// What both pages share: elements, the document, and the token, which lives as long as the tab.

const KEY = "assay-token";

export const byId = (id) => document.getElementById(id);

// Make an element; what is given as text is text, never markup.
export function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "class") element.className = value;
    else if (name === "text") element.textContent = value;
    else if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function headers() {
  const token = sessionStorage.getItem(KEY);
  return token ? { authorization: `Bearer ${token}` } : {};
}

// Return the answer of the server; throws its list of errors.
export async function ask(path, body) {
  const options = body === undefined ? { headers: headers() } : {
    method: "POST",
    headers: { ...headers(), "content-type": "application/json" },
    body: JSON.stringify(body),
  };
  let response, answer;
  try {
    response = await fetch(path, options);
    answer = await response.json();
  } catch (error) {
    throw [{ code: "", where: "", message: `The server did not answer: ${error.message}`, allowed: [], try: "" }];
  }
  if (!response.ok) {
    if (response.status === 401) byId("token-form").hidden = false;
    throw answer.errors;
  }
  byId("token-form").hidden = true;
  return answer;
}

// Load the document and draw with it; again when a token was given.
export function start(draw) {
  const load = async () => {
    try {
      draw(await ask("/openapi.json"));
      tell([]);
    } catch (errors) {
      if (!Array.isArray(errors)) throw errors;
      tell(errors);
    }
  };
  byId("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem(KEY, byId("token").value.trim());
    load();
  });
  return load();
}

export function tell(errors) {
  const items = errors.map((error) => make("li", {}, said(error)));
  byId("problems").replaceChildren(...(items.length ? [make("div", { class: "box bad" }, make("ul", {}, ...items))] : []));
}

// One error or warning as a sentence.
export function said(error) {
  const parts = [error.where ? `${error.where}: ` : "", error.message];
  if (error.got !== null && error.got !== undefined && error.got !== "") parts.push(`, got ${show(error.got)}`);
  if (error.allowed && error.allowed.length) parts.push(`; allowed: ${error.allowed.map(show).join(", ")}`);
  if (error.try) parts.push(`. ${error.try}`);
  return parts.join("");
}

export function show(value) {
  if (value === null || value === undefined) return "not known";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return number(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

export function number(value, digits = 4) {
  return value.toLocaleString("en", Math.abs(value) >= 10 ** digits
    ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: digits });
}

export const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;

export function resolve(document, schema) {
  return schema.$ref ? schema.$ref.split("/").slice(1).reduce((at, part) => at[part], document) : schema;
}

// The models of the document, the first one first: what they take, and an example of it.
export function models(document) {
  const found = [];
  for (const [path, item] of Object.entries(document.paths)) {
    const match = path.match(/^\/models\/([^/]+)\/predict$/);
    if (!match) continue;
    const content = item.post.requestBody.content["application/json"];
    const body = resolve(document, content.schema);
    const row = resolve(document, body.anyOf[0].properties.rows.items);
    const answer = resolve(document, item.post.responses["200"].content["application/json"].schema);
    found.push({
      name: decodeURIComponent(match[1]),
      at: `/models/${match[1]}`,
      columns: row.properties,
      example: content.example.rows[0],
      answer: resolve(document, answer.properties.predictions.items),
    });
  }
  return found;
}
