// Names for pictures and buttons that gradio leaves without one, for screen readers, keys for its divider, and what is said of files too large to send and of cameras that are not there.
() => {
  const nameOf = (image) => {
    const slider = image.closest('#slider, [id^="lab-slider"]');
    if (slider) return [...slider.querySelectorAll('img')].indexOf(image) === 0 ? 'Before' : 'After';
    if (image.closest('.gallery-item')) {
      const file = decodeURIComponent(image.src.split('/').pop()).replace(/\.\w+$/, '').replace(/[_-]/g, ' ');
      return `Example photo: ${file}`;
    }
    const block = image.closest('.block');
    return (block && block.querySelector('label, .label') || { innerText: 'Photo' }).innerText.trim() || 'Photo';
  };
  const name = () => {
    document.querySelectorAll('.fr-slider .outer:not([tabindex])').forEach(reach);
    for (const image of document.querySelectorAll('img:not([alt]), img[alt=""]')) image.alt = nameOf(image);
    for (const button of document.querySelectorAll('button:not([aria-label])')) {
      const image = button.querySelector('img');
      if (image && !button.innerText.trim()) button.ariaLabel = image.alt;
    }
  };
  // The divider between before and after knows only the mouse: arrow keys become its movements.
  const share = (divider, x) => {
    const { left, width } = divider.closest('.slider-wrap').getBoundingClientRect();
    return Math.round((100 * (x - left)) / width);
  };
  const slide = (event) => {
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const divider = event.currentTarget, { left, top, width, height } = divider.getBoundingClientRect();
    const at = { bubbles: true, view: window, clientX: left + width / 2, clientY: top + height / 2 };
    const to = { ...at, clientX: at.clientX + (step * divider.closest('.slider-wrap').clientWidth) / 20 };
    divider.dispatchEvent(new MouseEvent('mousedown', at));
    for (const kind of ['mousemove', 'mouseup']) window.dispatchEvent(new MouseEvent(kind, to));
    divider.ariaValueNow = Math.min(100, Math.max(0, share(divider, to.clientX)));
  };
  const reach = (divider) => {
    Object.assign(divider, { tabIndex: 0, role: 'slider', ariaLabel: 'Divider: before at its left, after at its right', ariaValueNow: 50 });
    divider.addEventListener('keydown', slide);
  };
  // The text shown in place of a file that the browser has no decoder for, such as a TIFF.
  document.addEventListener('error', ({ target }) => {
    if (target.tagName !== 'IMG') return;
    target.alt = 'The browser cannot show this file';
    target.classList.add('fr-unseen');
    target.addEventListener('load', () => target.classList.remove('fr-unseen'), { once: true });
  }, true);
  // A file that gradio would refuse with a word of its own: said beside the photo, in ours, and nothing is sent.
  const tell = (place, sentence) => {
    document.querySelectorAll('.fr-refused').forEach((each) => each.remove());
    if (!sentence) return;
    const alert = document.createElement('div');
    Object.assign(alert, { className: 'fr-alert fr-refused', role: 'alert', textContent: sentence });
    place.after(alert);
  };
  const most = __MAX_UPLOAD_BYTES__;
  const refuse = (event) => {
    const place = event.target.closest && event.target.closest('.fr-photo');
    const chosen = event.type === 'drop' ? event.dataTransfer : event.target;
    if (!place || !chosen || !chosen.files || !chosen.files.length) return;
    tell(place, '');
    const large = [...chosen.files].find((file) => file.size > most);
    if (!large) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.type === 'change') event.target.value = '';
    const size = Math.ceil(large.size / 1e6);
    tell(place, `${large.name} has ${size} MB; at most ${most / 1e6} MB can be taken. Save a smaller copy of it and take that.`);
  };
  for (const kind of ['change', 'drop']) window.addEventListener(kind, refuse, true);
  // Of a camera that is forbidden gradio speaks, of one that is not there it says nothing.
  window.addEventListener('unhandledrejection', ({ reason }) => {
    const place = [...document.querySelectorAll('.fr-photo')].find((each) => each.offsetParent);
    const missing = reason && ['NotFoundError', 'NotReadableError', 'OverconstrainedError'].includes(reason.name);
    if (place && missing) tell(place, 'No camera could be opened: connect one, close what else uses it, or choose a photo.');
  });
  let waiting = 0;
  new MutationObserver(() => {
    clearTimeout(waiting);
    waiting = setTimeout(name, 300);
  }).observe(document.body, { childList: true, subtree: true });
  name();
}
