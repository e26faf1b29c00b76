import CheckpointStore
import Serving

/// Reads the fields `sources` and `fusion` of a request or an alias.
struct SourcesReader {
    private var sources: [SourceBlend.Source]?
    private var hasFusion = false
    private var blend = SourceBlend([])

    /// A reader that has read nothing.
    init() {}

    /// Forgets the sources and the fusion that were read.
    mutating func removeAll() {
        sources = nil
        hasFusion = false
        blend = SourceBlend([])
    }

    /// The sources that were read, nil if there are none; their bounds are not checked.
    ///
    /// - Throws: ``ContractViolation`` for a fusion without sources.
    func result() throws -> SourceBlend? {
        guard let sources else {
            guard !hasFusion else {
                let message = "says how sources are merged, but there are no 'sources'; give both or neither."
                throw ContractViolation(pointer: "/fusion", message: message)
            }
            return nil
        }
        var blend = blend
        blend.sources = sources
        return blend
    }

    /// Reads the value of `sources`, a list or null.
    mutating func readSources(_ reader: inout JSONReader) throws {
        if try reader.isNull() { return }
        try reader.expect(.array, at: "/sources")
        reader.enter()
        var list: [SourceBlend.Source] = []
        var isFirst = true
        while try reader.nextElement(isFirst: &isFirst) {
            guard list.count < SourceBlend.mostSources else {
                let message = "has more than \(SourceBlend.mostSources) sources."
                throw ContractViolation(pointer: "/sources", message: message)
            }
            list.append(try readSource(&reader, at: "/sources/\(list.count)"))
        }
        sources = list
    }

    private func readSource(_ reader: inout JSONReader, at pointer: String) throws -> SourceBlend.Source {
        var (model, weight, quota): (String?, Double?, Int?)
        var isPopular = false
        let names = ["model", "popular", "weight", "quota"]
        try reader.members(at: pointer, of: "a source", names) { reader, name, place in
            switch name {
            case "model": model = try reader.text(at: place)
            case "weight": weight = try reader.double(at: place)
            case "quota": quota = try reader.integer(at: place)
            default:
                isPopular = try reader.boolean(at: place)
                guard isPopular else {
                    throw ContractViolation(pointer: place, message: "must be true; leave it out for a model.")
                }
            }
        }
        guard (model != nil) != isPopular else {
            let message = "must have either a 'model' or 'popular'."
            throw ContractViolation(pointer: pointer, message: message)
        }
        guard weight == nil || quota == nil else {
            let message = "has a weight and a quota; a source is either fused by weight or fills places of its own."
            throw ContractViolation(pointer: pointer, message: message)
        }
        return SourceBlend.Source(model: model, weight: weight ?? 1, quota: quota)
    }

    /// Reads the value of `fusion`, an object or null.
    mutating func readFusion(_ reader: inout JSONReader) throws {
        if try reader.isNull() { return }
        hasFusion = true
        var read = blend
        try reader.members(at: "/fusion", of: "a fusion", ["method", "constant", "window"]) { reader, name, place in
            switch name {
            case "constant": read.constant = try reader.double(at: place)
            case "window": read.window = try reader.integer(at: place)
            default:
                let method = try reader.text(at: place)
                guard let fusion = SourceBlend.Fusion(rawValue: method) else {
                    let allowed = SourceBlend.Fusion.allCases.map { "'\($0.rawValue)'" }.joined(separator: " or ")
                    let message = "must be \(allowed); got '\(method.prefix(32))'."
                    throw ContractViolation(pointer: place, message: message)
                }
                read.fusion = fusion
            }
        }
        blend = read
    }
}

extension RetrievalRequest {
    /// Sets the sources from their JSON form.
    ///
    /// - Parameters:
    ///   - sources: The value of `sources`.
    ///   - fusion: The value of `fusion`; nil for the defaults.
    /// - Throws: A ``Problem`` with a pointer that starts with `/sources` or `/fusion`.
    package mutating func setSources(json sources: [UInt8], fusion: [UInt8]?) throws(Problem) {
        var fields = SourcesReader()
        func read(_ json: [UInt8], _ field: (inout JSONReader) throws -> Void) throws(Problem) {
            do {
                var reader = JSONReader(json)
                try field(&reader)
                try reader.end()
            } catch {
                throw Problem(error, in: json)
            }
        }
        try read(sources) { try fields.readSources(&$0) }
        if let fusion { try read(fusion) { try fields.readFusion(&$0) } }
        do {
            self.sources = try fields.result()
        } catch {
            throw Problem(error, in: Array("{}".utf8))
        }
    }
}
