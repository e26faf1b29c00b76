import Foundation
import Kernels
import Recommenders
import Testing

@Suite("DimeRecConfiguration") struct ConfigurationTests {
    private func error(_ json: String) -> ConfigurationError? {
        do {
            _ = try DimeRecConfiguration(json: Data(json.utf8))
            Issue.record("accepted \(json)")
            return nil
        } catch {
            return error as? ConfigurationError
        }
    }

    @Test(
        "an unknown field is named with its path",
        arguments: [
            (#"{"dimensions": 64}"#, "dimensions"), (#"{"denoiser": {"hiden": 3}}"#, "denoiser.hiden"),
            (#"{"noise": {"schedule": {"beta": 3}}}"#, "noise.schedule.beta"),
        ]
    )
    func unknown(json: String, key: String) {
        guard case .unknownField(let found, let known)? = error(json) else {
            Issue.record("another error")
            return
        }
        #expect(found == key && !known.isEmpty)
        #expect(ConfigurationError.unknownField(key: found, known: known).description.contains("'\(key)'"))
    }

    @Test(
        "a value out of range is named with its path",
        arguments: [
            (#"{"dimension": 0}"#, "dimension"), (#"{"dimension": 7}"#, "dimension"), (#"{"steps": 0}"#, "steps"),
            (#"{"historyLength": 0}"#, "historyLength"), (#"{"historyLength": 1001}"#, "historyLength"),
            (#"{"interests": 65}"#, "interests"), (#"{"interests": 0}"#, "interests"),
            (#"{"guidance": {"hidden": 0}}"#, "guidance.hidden"), (#"{"denoiser": {"hidden": -1}}"#, "denoiser.hidden"),
            (#"{"denoiser": {"depth": 3}}"#, "denoiser.depth"), (#"{"denoiser": {"dropout": 1}}"#, "denoiser.dropout"),
            (#"{"noise": {"schedule": {"betaFirst": 0}}}"#, "noise.schedule.betaFirst"),
            (#"{"noise": {"schedule": {"betaFirst": 0.5, "betaLast": 0.4}}}"#, "noise.schedule.betaLast"),
            (#"{"loss": {"lambda": -0.1}}"#, "loss.lambda"), (#"{"loss": {"mu": 1e9}}"#, "loss.mu"),
            (#"{"guidance": {"kind": "sasrec", "attentionHeads": 0}}"#, "guidance.attentionHeads"),
            (#"{"guidance": {"kind": "sasrec", "attentionHeads": -1}}"#, "guidance.attentionHeads"),
            (#"{"guidance": {"kind": "rule-based", "slots": {"popular": -1}}}"#, "guidance.slots.popular"),
            (#"{"guidance": {"kind": "rule-based", "slots": {"popular": 3, "exploring": 2}}}"#, "guidance.slots"),
            (#"{"loss": {"guidance": -1}}"#, "loss.guidance"), (#"{"loss": {"logitScale": 0}}"#, "loss.logitScale"),
        ]
    )
    func outOfRange(json: String, key: String) {
        guard case .outOfRange(let found, _, _)? = error(json) else {
            Issue.record("another error")
            return
        }
        #expect(found == key)
    }

    @Test(
        "a wrong type or word is named with its path",
        arguments: [
            (#"{"steps": "ten"}"#, "steps"), (#"{"steps": 2.5}"#, "steps"), (#"{"steps": null}"#, "steps"),
            (#"{"steps": [1]}"#, "steps"), (#"{"tiedItems": 1.5}"#, "tiedItems"), (#"{"denoiser": 3}"#, "denoiser"),
            (#"{"denoiser": {"hidden": {}}}"#, "denoiser.hidden"), (#"{"noise": {"kind": "loud"}}"#, "noise.kind"),
            (#"{"denoiser": {"activation": "sine"}}"#, "denoiser.activation"),
            (#"{"noise": {"schedule": {"kind": "quadratic"}}}"#, "noise.schedule.kind"), (#"[1]"#, ""),
            (#"{"guidance": {"slots": {"popular": 1}}}"#, "guidance.slots"),
        ]
    )
    func invalid(json: String, key: String) {
        guard case .invalidValue(let found, let reason)? = error(json) else {
            Issue.record("another error")
            return
        }
        #expect(found == key && !reason.isEmpty, "\(found): \(reason)")
    }

    @Test("text that is not JSON", arguments: ["", "{", "steps: 3", #"{"steps": 3,,}"#])
    func notJSON(text: String) {
        guard case .notJSON? = error(text) else {
            Issue.record("another error")
            return
        }
    }

    @Test("absent fields keep their defaults")
    func partial() throws {
        let configuration = try DimeRecConfiguration(json: Data(#"{"steps": 7, "noise": {"kind": "geodesic"}}"#.utf8))
        var expected = DimeRecConfiguration()
        expected.steps = 7
        expected.noise.kind = .geodesic
        #expect(configuration == expected)
        #expect(try DimeRecConfiguration(json: Data("{}".utf8)) == DimeRecConfiguration())
    }

    @Test("a configuration survives its JSON")
    func roundTrip() throws {
        var configuration = DimeRecConfiguration()
        #expect(try DimeRecConfiguration(json: Data(configuration.json.utf8)) == configuration)
        configuration.dimension = 12
        configuration.tiedItems = false
        configuration.guidance.kind = .ruleBased
        configuration.guidance.padding = .left
        configuration.guidance.position = .sinusoid
        configuration.denoiser.residual = .meanInterest
        configuration.denoiser.activation = .silu
        configuration.denoiser.layout = .mean
        configuration.denoiser.stepEmbedding = .table
        configuration.noise.reading = .wide
        configuration.noise.sampler = .walk
        configuration.noise.schedule.kind = .truncatedLinear
        configuration.noise.schedule.betaFirst = 0.123456789
        configuration.reverse.noiseScale = .calibrated
        configuration.loss.reconstruction = .mean
        configuration.loss.logitScale = 1.0 / 3
        #expect(try DimeRecConfiguration(json: Data(configuration.json.utf8)) == configuration)
    }
}
