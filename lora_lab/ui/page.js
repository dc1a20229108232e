// What the page does in the browser besides Gradio: it keeps the settings in the address, carries
// them from one language to the other, and says Gradio's own few words in the page's language.
(() => {
  const told = window.loraLab;
  document.documentElement.lang = told.language;

  const show = (query) => {
    const text = query.toString();
    history.replaceState(null, "", location.pathname + (text ? "?" + text : ""));
  };
  // values: those of the form, in the order of told.names
  told.remember = (...values) => {
    const query = new URLSearchParams(location.search);
    told.names.forEach((name, i) => {
      if (name === "other") return;
      let value = values[i] ?? "";
      if (name === "model" && value === "other") value = values[told.names.indexOf("other")] ?? "";
      if (value === told.defaults[name] || value === "") query.delete(name);
      else query.set(name, value);
    });
    show(query);
  };
  // Alpha stays at twice the rank until it is set to something else.
  told.follow = (rank, alpha) => {
    const after = alpha === 2 * (told.rank ?? rank) ? 2 * rank : alpha;
    told.rank = rank;
    return after;
  };
  told.openRun = (run) => {
    const query = new URLSearchParams(location.search);
    if (run) query.set("run", run);
    else query.delete("run");
    show(query);
  };

  told.openRace = (run) => {
    const query = new URLSearchParams(location.search);
    if (run) query.set("race", run);
    show(query);
  };

  // A run is visited afresh: its own settings then stand in the form, and no others.
  told.visit = (run) => {
    const theme = new URLSearchParams(location.search).get("__theme");
    location.search = "?run=" + encodeURIComponent(run) + (theme ? "&__theme=" + theme : "");
  };
  // The browser remembers the last upload, so that a reloaded page still has it.
  told.keep = (uploaded) => { if (uploaded) localStorage.setItem("lora-lab-upload", uploaded); };
  told.kept = () => localStorage.getItem("lora-lab-upload") ?? "";

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-language]");
    if (!link) return;
    const secure = location.protocol === "https:" ? "; Secure; SameSite=None; Partitioned" : "; SameSite=Lax";
    document.cookie = `lora-lab-language=${link.dataset.language}; Path=/; Max-Age=31536000${secure}`;
    link.search = location.search;
  });

  const translate = (text) => {
    for (const [english, ours] of told.builtin) {
      if (text === english) return ours;
      if (english.endsWith(" ") && text.startsWith(english)) return ours + text.slice(english.length);
    }
    return text;
  };
  const tidy = () => {
    for (const name of ["aria-label", "title", "placeholder"])
      for (const element of document.querySelectorAll(`[${name}]`)) {
        const now = element.getAttribute(name);
        const then = translate(now);
        if (then !== now) element.setAttribute(name, then);
      }
  };
  const toasts = () => {
    for (const toast of document.querySelectorAll("[data-testid='toast-body']")) {
      const walker = document.createTreeWalker(toast, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const then = translate(node.data.trim());
        if (then !== node.data.trim()) node.data = then;
      }
    }
  };
  let asked = false;
  new MutationObserver(() => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; tidy(); toasts(); });
  }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["aria-label"] });
})();
