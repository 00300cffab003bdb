// What a page of wellprod does beside its widgets: it asks for them as they are once it has them, notices when its
// kernel is gone, sends chosen files, and keeps its choice in its address.
(() => {
  "use strict";
  const configuration = document.getElementById("jupyter-config-data");
  const { baseUrl = "/", kernelId = null } = configuration ? JSON.parse(configuration.textContent) : {};
  const door = `${baseUrl}wellprod/`;
  const LOOK_MS = 10_000;

  // The widgets. What changed in the kernel after it had told their state and before they were made here is lost: when
  // they are here, a hidden button asks for their state once more.
  const arriving = new MutationObserver(() => {
    const here = document.querySelector(".wp-here");
    if (!here) return;
    arriving.disconnect();
    here.click();
  });
  arriving.observe(document.body, { childList: true, subtree: true });

  // The kernel. A process that died is started again by Jupyter, but without what the page shows.
  let process;
  let misses = 0;

  const GONE = "This page lost its connection to the calculation process.";
  const AWAY = "The server cannot be reached.";
  const SIGNED_OUT = "You are signed out.";

  function tell(what) {
    const place = document.getElementById("wp-lost");
    if (place.dataset.what === (what ?? "")) return;
    place.dataset.what = what ?? "";
    place.className = what ? "wp-lost" : "";
    place.replaceChildren();
    if (!what) return place.removeAttribute("role");
    const lost = document.createElement("p");
    const name = document.createElement("strong");
    name.textContent = what;
    lost.append(name, " Imports and exports go on by themselves and nothing is lost.");
    const again = document.createElement("button");
    again.className = "wp-button";
    again.type = "button";
    again.textContent = "Reload the page";
    again.addEventListener("click", () => location.reload());
    place.setAttribute("role", "alert");
    place.append(lost, again);
  }

  async function look() {
    if (document.hidden || !kernelId) return;
    let answer;
    try {
      answer = await fetch(`${door}kernels/${kernelId}`, {
        headers: { Accept: "application/json" }, redirect: "manual", cache: "no-store", signal: AbortSignal.timeout(8000),
      });
    } catch {
      misses += 1;
      if (misses > 1) tell(AWAY);
      else setTimeout(look, 2000);  // one lost answer is no news
      return;
    }
    misses = 0;
    if (answer.status === 404) return tell(GONE);
    if (answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403) return tell(SIGNED_OUT);
    if (!answer.ok) return;
    const found = (await answer.json()).process;
    process ??= found;
    tell(found === process ? null : GONE);
  }

  look();
  setInterval(look, LOOK_MS);
  document.addEventListener("visibilitychange", look);

  // Files. A page offers <input type="file" data-wellprod-upload="FIELD"> with a [data-wellprod-upload-status] near
  // it; the field, found by that selector if there is one, then says where the file lies.
  function size(bytes) {
    for (const [unit, scale] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) {
      if (bytes >= scale) return `${(bytes / scale).toFixed(1)} ${unit}`;
    }
    return `${bytes} bytes`;
  }

  function inWords(text, status) {
    try {
      const { message, next } = JSON.parse(text);
      return `${message} ${next ?? ""}`.trim();
    } catch {
      return status === 403 ? `${SIGNED_OUT} Reload the page.` : `The server answered ${status}.`;
    }
  }

  function put(url, file, onProgress) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("PUT", url);
      request.setRequestHeader("Accept", "application/json");
      request.setRequestHeader("X-XSRFToken", document.cookie.match(/(?:^|; )_xsrf=([^;]*)/)?.[1] ?? "");
      request.upload.onprogress = (event) => onProgress(event.loaded);
      request.onload = () => {
        if (request.status === 200) resolve(JSON.parse(request.responseText));
        else reject(new Error(inWords(request.responseText, request.status)));
      };
      request.onerror = () => reject(new Error("The connection was cut. Choose the file again."));
      request.send(file);
    });
  }

  function statusOf(input) {
    for (let part = input.parentElement; part; part = part.parentElement) {
      const status = part.querySelector("[data-wellprod-upload-status]");
      if (status) return status;
    }
    return null;
  }

  function choose(selector, path) {
    const field = selector ? document.querySelector(selector) : null;
    if (!field) return;
    field.value = path;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }

  async function send(input) {
    const file = input.files[0];
    if (!file) return;
    const status = statusOf(input);
    const say = (words, state) => {
      if (!status) return;
      status.setAttribute("role", "status");
      status.dataset.state = state;
      status.textContent = words;
    };
    const url = `${door}uploads/${encodeURIComponent(file.name)}`;
    input.disabled = true;
    try {
      say(`Sending ${file.name}…`, "sending");
      const asked = await fetch(`${url}?size=${file.size}`, { headers: { Accept: "application/json" }, redirect: "manual" });
      if (!asked.ok) throw new Error(inWords(await asked.text(), asked.status || 403));
      let told = -1;
      const kept = await put(url, file, (sent) => {
        const percent = Math.floor((100 * sent) / file.size);
        if (percent !== told) say(`Sending ${file.name}: ${percent} % of ${size(file.size)}`, "sending");
        told = percent;
      });
      say(`${kept.name} is here (${size(kept.size_bytes)}).`, "done");
      choose(input.dataset.wellprodUpload, kept.path);
    } catch (error) {
      say(error.message, "refused");
    } finally {
      input.disabled = false;
      input.value = "";  // so that the same file can be chosen again
    }
  }

  // Addresses to copy: a field with [data-wellprod-address], and a button beside it.
  function addressIn(field) {
    field.value = new URL(field.dataset.wellprodAddress, location.href).href;
    return field.value;
  }

  document.addEventListener("focusin", (event) => {
    if (!event.target.matches?.("[data-wellprod-address]")) return;
    addressIn(event.target);
    event.target.select();
  });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-wellprod-copy]");
    if (!button) return;
    const field = button.parentElement.querySelector("[data-wellprod-address]");
    try {
      await navigator.clipboard.writeText(addressIn(field));
      button.textContent = "Copied";
    } catch {  // browsers allow it over HTTPS and on this machine alone
      field.focus();
    }
  });

  // The address. A page whose choice is in its address says the query of it in [data-wellprod-query]; what the address
  // says is then kept the same, without a step back to each choice.
  let query;
  new MutationObserver(() => {
    const place = document.querySelector("[data-wellprod-query]");
    if (!place || place.dataset.wellprodQuery === query) return;
    query = place.dataset.wellprodQuery;
    addressIn(place.querySelector("[data-wellprod-address]"));
    history.replaceState(history.state, "", location.pathname + (query ? `?${query}` : ""));
  }).observe(document.getElementById("wp-cells") ?? document.body, { childList: true, subtree: true });

  document.addEventListener("change", (event) => {
    if (event.target.matches?.('input[type="file"][data-wellprod-upload]')) send(event.target);
  });
})();
