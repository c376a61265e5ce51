// Numbers as people read them: prices and quantities come as whole steps, and are written without rounding.
const grouped = new Map();

function withCommas(digits) {
  return digits.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

// Returns a function from a count of steps, [units, decimals] of each, to exact text.
export function stepText([units, decimals]) {
  return (count) => {
    const digits = String(Math.abs(Math.round(count * units))).padStart(decimals + 1, "0");
    const whole = withCommas(digits.slice(0, digits.length - decimals));
    const text = decimals ? `${whole}.${digits.slice(-decimals)}` : whole;
    return count < 0 ? `−${text}` : text;
  };
}

// The same of what is counted in halves of steps, as a mid is.
export const halfText = ([units, decimals]) => stepText([units * 5, decimals + 1]);

export const stepValue = ([units, decimals]) => (count) => (count * units) / 10 ** decimals;

// A number or the text of one, with so many decimals; a missing one is a dash.
export function decimals(value, places, isSigned = false) {
  if (value === null || value === undefined || value === "") return "–";
  const number = Number(value);
  if (!grouped.has(places)) {
    grouped.set(places, new Intl.NumberFormat("en-US", { minimumFractionDigits: places, maximumFractionDigits: places }));
  }
  const text = grouped.get(places).format(Math.abs(number));
  const isZero = !/[1-9]/.test(text);
  const sign = isZero ? "" : number < 0 ? "−" : isSigned ? "+" : "";
  return sign + text;
}

// The text of a decimal as it is, with commas and a true minus: nothing is rounded. A number may come as one, with
// twelve decimals at most; JavaScript would write a small one as 9.4e-7.
export function exact(value, isSigned = false) {
  if (value === null || value === undefined) return "–";
  const text = typeof value === "number" && Math.abs(value) < 1e-6 ? value.toFixed(12) : String(value);
  const [whole, part] = text.replace("-", "").split(".");
  const kept = part ? part.replace(/0+$/, "") : "";
  const sign = text.startsWith("-") ? "−" : isSigned && /[1-9]/.test(text) ? "+" : "";
  return sign + withCommas(whole) + (kept ? `.${kept}` : "");
}

export function percent(share) {
  return share === null || share === undefined ? "–" : `${(100 * Number(share)).toFixed(1)} %`;
}

export const clock = (ms) => new Date(ms).toISOString().slice(11, 19);
// The same of a moment that may be of another day than now is.
export function moment(ms, now) {
  const [text, today] = [ms, now].map((each) => new Date(each).toISOString());
  return text.slice(0, 10) === today.slice(0, 10) ? text.slice(11, 19) : text.slice(0, 19).replace("T", " ");
}
export const clockMs = (ms) => new Date(ms).toISOString().slice(11, 23);

export function age(ms) {
  if (ms === null || ms === undefined) return "–";
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 120) return `${Math.floor(s)} s`;
  return s < 7200 ? `${Math.floor(s / 60)} min` : `${Math.floor(s / 3600)} h`;
}
