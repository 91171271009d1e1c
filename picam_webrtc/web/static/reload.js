// No module, and loaded before them: when one of them is lost on the way, as on a robot's Wi-Fi, none of them runs.
{
  const RETRY_MS = 2000;

  document.addEventListener("error", ({ target }) => {
    if (target.tagName !== "SCRIPT") return;
    document.querySelector("#words").textContent = "Loading again";
    setTimeout(() => location.reload(), RETRY_MS);
  }, { capture: true });
}
