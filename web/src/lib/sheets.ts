/**
 * For a library that writes `<style>` elements and `style` attributes, both of which the page's policy forbids, while it
 * allows what is set by script: until the end, a style element that is made here has no effect itself, and its text becomes a
 * sheet of the document's; a style attribute is set through `element.style`. Returns what ends it.
 */
export function makeSheetsOfStyles(page: Document): () => void {
  const make = page.createElement.bind(page);
  const sheets = new Set<CSSStyleSheet>();
  const adopt = () => {
    page.adoptedStyleSheets = [...sheets];
  };
  const styleElement = () => {
    const element = make('template');
    const sheet = new CSSStyleSheet();
    sheets.add(sheet);
    adopt();
    Object.defineProperty(element, 'textContent', {set: (text: string) => void sheet.replaceSync(text)});
    element.remove = () => {
      HTMLElement.prototype.remove.call(element);
      sheets.delete(sheet);
      adopt();
    };
    return element;
  };
  const createElement = (name: string, options?: ElementCreationOptions) => {
    if (name === 'style') return styleElement();
    const element = make(name, options);
    element.setAttribute = (attribute: string, value: string) => {
      if (attribute === 'style') element.style.cssText = value;
      else HTMLElement.prototype.setAttribute.call(element, attribute, value);
    };
    return element;
  };
  Object.defineProperty(page, 'createElement', {value: createElement, configurable: true});
  return () => {
    Reflect.deleteProperty(page, 'createElement');
    sheets.clear();
    adopt();
  };
}
