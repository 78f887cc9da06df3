// Names for pictures and buttons that gradio leaves without one, for screen readers.
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
    for (const image of document.querySelectorAll('img:not([alt]), img[alt=""]')) image.alt = nameOf(image);
    for (const button of document.querySelectorAll('button:not([aria-label])')) {
      const image = button.querySelector('img');
      if (image && !button.innerText.trim()) button.ariaLabel = image.alt;
    }
  };
  let waiting = 0;
  new MutationObserver(() => {
    clearTimeout(waiting);
    waiting = setTimeout(name, 300);
  }).observe(document.body, { childList: true, subtree: true });
  name();
}
