"use strict";
// A check or a repair, step by step, until nothing is left. Without this script each step is a page.
document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("synced-fields");
  if (!form) {
    return;
  }
  const progress = form.querySelector("progress");
  const status = form.querySelector(".sf-status");
  const stop = form.querySelector(".sf-stop");
  const buttons = [...form.querySelectorAll("button[name=action]")];
  let stopped = false;

  form.querySelector(".sf-all").addEventListener("change", (event) => {
    for (const box of form.querySelectorAll("tbody input[type=checkbox]")) {
      box.checked = event.target.checked;
    }
  });
  stop.addEventListener("click", () => { stopped = true; });

  async function ask(action, labels, after) {
    const body = new FormData();
    body.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
    body.set("action", action);
    body.set("after", after ?? "");
    labels.forEach((label) => body.append("label", label));
    const answer = await fetch(form.getAttribute("action"), {
      method: "POST", body, headers: { Accept: "application/json" },
    });
    if (!answer.ok) {
      throw new Error(`${answer.status} ${answer.statusText}`);
    }
    return answer.json();
  }

  function show(rule, sums, check, finished) {
    const row = form.querySelector(`tr[data-label="${CSS.escape(rule.label)}"]`);
    const cell = row.querySelector(".sf-drift");
    cell.textContent = `${sums.drifted} of ${sums.scanned}` + (sums.repaired ? `, ${sums.repaired} repaired` : "");
    cell.classList.toggle("sf-bad", sums.drifted > sums.repaired);
    row.querySelector(".sf-when").textContent = finished ? "just now" : "at work";
    for (const each of sums.examples) {
      const line = document.createElement("div");
      const link = document.createElement(each.url ? "a" : "span");
      if (each.url) {
        link.href = each.url;
      }
      link.textContent = each.pk;
      line.append(link, ` ${each.drift}`);
      cell.append(line);
    }
  }

  async function run(action, labels, after) {
    const sums = new Map();
    let looked = 0, drifted = 0, repaired = 0, total = 0;
    stopped = false;
    stop.hidden = progress.hidden = false;
    progress.removeAttribute("value");
    status.textContent = "";
    buttons.forEach((button) => { button.disabled = true; });
    ask("total", labels).then((found) => { total = found.total; }, () => {});
    try {
      while (labels.length && !stopped) {
        const found = await ask(action, labels, after);
        const left = found.left ?? [];
        for (const rule of found.rules ?? []) {
          const sum = sums.get(rule.label) ?? { scanned: 0, drifted: 0, repaired: 0, examples: [] };
          for (const name of ["scanned", "drifted", "repaired"]) {
            sum[name] += rule[name];
          }
          sum.examples = [...sum.examples, ...rule.examples].slice(0, 5);
          sums.set(rule.label, sum);
          show(rule, sum, action === "check", !left.includes(rule.label));
          looked += rule.scanned;
          drifted += rule.drifted;
          repaired += rule.repaired;
        }
        if (total) {
          progress.max = total;
          progress.value = Math.min(looked, total);
        }
        const outcome = action === "check" ? `${drifted} have drifted` : `${repaired} repaired`;
        status.textContent = `${looked} values looked at: ${outcome}.`;
        if (found.error) {
          throw new Error(found.error);
        }
        [labels, after] = [left, found.after];
      }
      if (labels.length) {
        status.textContent += " Stopped.";
      }
    } catch (error) {
      status.textContent += ` ${error.message}`;
    } finally {
      stop.hidden = progress.hidden = true;
      buttons.forEach((button) => { button.disabled = false; });
    }
  }

  form.addEventListener("submit", (event) => {
    const action = event.submitter?.value;
    if (event.submitter?.name !== "action") {
      return; // what a write costs: a page of its own
    }
    event.preventDefault();
    const given = new FormData(form);
    run(action, given.getAll("label"), given.get("after"));
  });
});
