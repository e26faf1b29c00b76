import Foundation

#if canImport(FoundationXML)
import FoundationXML
#endif

/// The elements of a well-formed document, such as a chart's SVG or a report's page, in the order of their starts.
final class Markup: NSObject, XMLParserDelegate {
    /// Names, attributes, and the text directly inside.
    private(set) var elements: [(name: String, attributes: [String: String], text: String)] = []
    private var open: [Int] = []

    /// Reads a document; nil when it is not well-formed.
    init?(_ document: String) {
        super.init()
        let parser = XMLParser(data: Data(document.utf8))
        parser.delegate = self
        guard parser.parse() else { return nil }
    }

    func parser(
        _ parser: XMLParser,
        didStartElement name: String,
        namespaceURI: String?,
        qualifiedName: String?,
        attributes: [String: String] = [:]
    ) {
        open.append(elements.count)
        elements.append((name, attributes, ""))
    }

    func parser(_ parser: XMLParser, foundCharacters text: String) {
        guard let last = open.last else { return }
        elements[last].text += text
    }

    func parser(_ parser: XMLParser, didEndElement: String, namespaceURI: String?, qualifiedName: String?) {
        open.removeLast()
    }
}
