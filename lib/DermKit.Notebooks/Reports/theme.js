// Before the first paint, so that a chosen theme does not flash.
try {
  const chosen = localStorage.getItem('kit-theme');
  if (chosen === 'dark' || chosen === 'light') document.documentElement.dataset.theme = chosen;
} catch { /* Nothing is kept. */ }
