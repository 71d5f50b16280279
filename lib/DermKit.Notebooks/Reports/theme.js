(function () {
  // Before the first paint, so that a chosen theme does not flash.
  var chosen = null;
  try { chosen = localStorage.getItem('kit-theme'); } catch (unavailable) { chosen = null; }
  if (chosen === 'dark' || chosen === 'light') document.documentElement.dataset.theme = chosen;
})();
