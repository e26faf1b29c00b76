import HTTPAPI
import Serving

/// A retrieval's body as the service's own reader parses it, field by field.
func serviceReading(_ body: String) throws -> [String: String] {
    var request = RetrievalRequest()
    var reader = RetrievalRequestReader()
    try reader.read(Array(body.utf8), into: &request)
    return [
        "history": request.history.text, "exclude": request.exclude.text, "anyOf": request.filter.anyOf.text,
        "noneOf": request.filter.noneOf.text, "k": "\(request.k)", "excludeHistory": "\(request.excludeHistory)",
        "model": "\(request.model, default: "nil")", "seed": "\(request.seed, default: "nil")",
        "steps": "\(request.steps, default: "nil")", "samples": "\(request.samples)",
        "diversity": "\(request.diversity)", "categoryPenalty": "\(request.categoryPenalty)",
        "exact": "\(request.exact)",
        "effort": "\(request.effort, default: "nil")", "explain": "\(request.explain)",
        "rules": request.rules.isEmpty ? "none" : "\(request.rules)",
    ]
}

extension IdentifierList {
    fileprivate var text: String {
        (0..<count).map { String(decoding: bytes[range($0)], as: UTF8.self) }.joined(separator: "|")
    }
}
