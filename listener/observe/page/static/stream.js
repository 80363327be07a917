// The stream of one browser: a shared worker holds it for all tabs; where there is none, each tab has its own.

// Follows /api/stream for ever; `tell` gets ["open"], ["lost"], ["now", text] and ["messages", text].
export function follow(tell) {
  let last = "";
  let source = null;
  const open = () => {
    source = new EventSource(last ? `/api/stream?after=${last}` : "/api/stream");
    source.onopen = () => tell(["open"]);
    source.onerror = () => {
      tell(["lost"]);
      if (source.readyState === EventSource.CLOSED) setTimeout(open, 2000);  // refused, or too many pages
    };
    source.addEventListener("now", (e) => tell(["now", e.data]));
    source.addEventListener("messages", (e) => { last = e.lastEventId || last; tell(["messages", e.data]); });
  };
  open();
  return () => source.close();
}

export function connect(tell) {
  try {
    const worker = new SharedWorker("/worker.js", { type: "module", name: "helpdesk-listen" });
    let plain = false;
    worker.onerror = () => { if (!plain) { plain = true; follow(tell); } };
    worker.port.onmessage = (e) => tell(e.data);
    worker.port.start();
    addEventListener("pagehide", () => worker.port.postMessage("bye"));
    addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); });
  } catch {
    follow(tell);
  }
}
