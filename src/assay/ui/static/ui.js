/* Waits for news of the ledger, fetches the page again, and exchanges the parts that changed. */
(() => {
  "use strict";
  const PAUSE = 2000;
  const sleep = ms => new Promise(done => setTimeout(done, ms));
  const said = document.getElementById("live");
  let next = Number(document.body.dataset.next);

  const busy = part => part.contains(document.activeElement) &&
    /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);

  const exchange = fresh => {
    let changed = 0;
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(part.id);
      if (!other || other.innerHTML === part.dataset.shown || busy(part)) continue;
      const open = [...part.querySelectorAll("details")].map(one => one.open);
      const place = [...part.querySelectorAll("a[href]")].indexOf(document.activeElement);
      part.dataset.shown = other.innerHTML;
      part.className = other.className;
      part.replaceChildren(...other.childNodes);
      part.querySelectorAll("details").forEach((one, i) => { one.open = open[i] ?? false; });
      if (place >= 0) part.querySelectorAll("a[href]")[place]?.focus({preventScroll: true});
      changed += 1;
    }
    return changed;
  };

  const refresh = async () => {
    const answer = await fetch(location.href, {headers: {accept: "text/html"}});
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    next = Number(fresh.body.dataset.next);
    if (exchange(fresh) && said) {
      said.textContent = `Brought up to date at ${new Date().toLocaleTimeString()}.`;
    }
  };

  const follow = async () => {
    for (const part of document.querySelectorAll("[data-live]")) part.dataset.shown = part.innerHTML;
    for (;;) {
      try {
        const answer = await fetch(`/events?after=${next}`);
        if (answer.status === 401) return;
        const news = await answer.json();
        if (news.next !== next) { next = news.next; await refresh(); }
      } catch { await sleep(5 * PAUSE); }
      await sleep(PAUSE);
      while (document.hidden) await sleep(PAUSE);
    }
  };
  if (document.querySelector("[data-live]")) follow();
})();
