// What the page knows: the daemon's state, the tickets with their newest messages, the pace. Bounded.

const TICKETS = 400;
const MESSAGES = 250;  // of a ticket; older ones are asked for as one scrolls

export const state = {
  now: null, link: "connecting", me: { may_act: false, has_token: false, has_images: false }, locked_out: false,
  tickets: new Map(), last: 0, pace: null, letters: null,
};
const listeners = new Set();
let planned = new Set();

export function listen(listener) { listeners.add(listener); return () => listeners.delete(listener); }

// Tells what changed, in one go however often that is. Drawing gets a fifth of the time at most, so that a slow machine
// that is sent much shows it in larger steps and still answers its reader.
let rested = 0;
export function changed(what) {
  if (planned.size === 0) setTimeout(() => requestAnimationFrame(tell), rested - performance.now());
  planned.add(what);
}

// While something is pressed nothing is drawn: a button that is exchanged under the pointer never hears of its click.
const HELD = 10000;  // at most, for a release that nobody tells
let pressed = -HELD;
const release = () => setTimeout(() => { pressed = -HELD; });  // the click comes right after pointerup
addEventListener("pointerdown", () => { pressed = performance.now(); }, true);
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, release, true);
addEventListener("blur", release);  // the window's own; those of elements do not bubble

function tell() {
  const begun = performance.now();
  if (begun - pressed < HELD) { setTimeout(tell, 50); return; }
  const all = planned;
  planned = new Set();
  for (const listener of [...listeners]) listener(all);
  setTimeout(() => { rested = performance.now() + 4 * (performance.now() - begun); });  // layout and paint included
}

export const NO_TICKET = "-";

function ticketOf(id) {
  let ticket = state.tickets.get(id);
  if (!ticket) {
    ticket = { id, messages: [], status: "", agent: "", last: null, fresh: 0, complete: false };
    state.tickets.set(id, ticket);
  }
  return ticket;
}

// `live`: these are new; else they are older ones, from the journal. Returns how many were not known.
export function take(events, live) {
  let taken = 0;
  for (const one of events) {
    const ticket = ticketOf(one.ticket || NO_TICKET);
    if (!insert(ticket.messages, one)) continue;
    taken += 1;
    if (!ticket.last || one.seq > ticket.last.seq) {
      ticket.last = one;
      ticket.status = one.status || ticket.status;
      ticket.agent = one.agent || ticket.agent;
      if (live) ticket.fresh += 1;
    }
    if (live && ticket.messages.length > MESSAGES) { ticket.messages.splice(0, ticket.messages.length - MESSAGES); ticket.complete = false; }
    if (live) bump(one.at);
  }
  if (live) trim();
  changed("tickets");
  return taken;
}

function insert(messages, one) {
  let at = messages.length;
  while (at > 0 && messages[at - 1].seq >= one.seq) at -= 1;
  if (messages[at]?.seq === one.seq) return false;
  messages.splice(at, 0, one);
  return true;
}

export function ordered() { return [...state.tickets.values()].filter((one) => one.last).sort((a, b) => b.last.seq - a.last.seq); }

function trim() {
  if (state.tickets.size <= TICKETS * 1.25) return;
  for (const ticket of ordered().slice(TICKETS)) state.tickets.delete(ticket.id);
}

// A live event counts at once; the figures themselves come from the journal.
function bump(at) {
  const pace = state.pace;
  if (pace) count(pace, at, 1);
}

export function count(pace, at, n) {
  const minute = at - (at % 60000);
  while (pace.minute < minute) { pace.minute += 60000; pace.minutes.push(0); pace.minutes.shift(); }
  pace.minutes[pace.minutes.length - 1] += n;
  pace.today += n;
  changed("pace");
}
