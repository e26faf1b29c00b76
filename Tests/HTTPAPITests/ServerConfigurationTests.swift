import HTTPAPI
import Serving
import Testing

@Suite("ServerConfiguration") struct ServerConfigurationTests {
    @Test("the defaults are valid")
    func acceptsDefaults() {
        #expect(throws: Never.self) { try ServerConfiguration().validate() }
    }

    @Test(
        "a control plane that other machines can reach needs a token",
        arguments: [
            ("127.0.0.1", true), ("127.1.2.3", true), ("localhost", true), ("::1", true), ("0.0.0.0", false),
            ("::", false), ("[::1]", true), ("[::]", false), ("unix:/run/control.sock", true),
            ("10.0.0.1", false), ("127.evil.com", false), ("127.0.0.1.evil.com", false), ("", false),
        ]
    )
    func refusesOpenControlPlane(host: String, isSafe: Bool) throws {
        var configuration = ServerConfiguration()
        configuration.controlHost = host
        if isSafe {
            try configuration.validate()
        } else {
            #expect(throws: ServerError.openControlPlane(host: host)) { try configuration.validate() }
        }
        configuration.controlToken = "0123456789abcdef"
        try configuration.validate()
        configuration.controlToken = "short"
        #expect(throws: ServerError.self) { try configuration.validate() }
    }

    @Test(
        "the path of a Unix socket is absolute and fits into its address",
        arguments: [
            ("unix:/run/s", true), ("unix:/" + String(repeating: "a", count: 106), true), ("unix:", false),
            ("unix:/" + String(repeating: "a", count: 107), false), ("unix:run/s", false), ("unix:/", false),
        ]
    )
    func checksSockets(host: String, isValid: Bool) throws {
        let hosts: [(String, WritableKeyPath<ServerConfiguration, String>)] = [
            ("HTTP_HOST", \.httpHost), ("CONTROL_HOST", \.controlHost),
        ]
        for (key, path) in hosts {
            var configuration = ServerConfiguration()
            configuration[keyPath: path] = host
            let fault = "is \(host); the path of a Unix socket must be absolute and have at most 107 bytes"
            if isValid {
                try configuration.validate()
            } else {
                let error = ServerError.invalidConfiguration(key: key, message: fault)
                #expect(throws: error) { try configuration.validate() }
            }
        }
    }

    @Test("the error of a value out of range names its key")
    func namesKeys() {
        let changes: [(String, @Sendable (inout ServerConfiguration) -> Void)] = [
            ("HTTP_PORT", { $0.httpPort = 65_536 }), ("CONTROL_PORT", { $0.controlPort = -1 }),
            ("SERVE_THREADS", { $0.serveThreads = 0 }), ("MAX_CONNECTIONS", { $0.maxConnections = 0 }),
            ("TRACE_SAMPLE", { $0.traceSample = -1 }), ("SLOW_REQUEST_MS", { $0.slowRequest = .milliseconds(-1) }),
            ("MAX_BODY_BYTES", { $0.maxBodyBytes = 10 }), ("MAX_K", { $0.limits.maxK = 0 }),
            ("MAX_HISTORY", { $0.limits.maxHistory = 0 }), ("IDLE_TIMEOUT_S", { $0.idleTimeout = .zero }),
            ("REQUEST_READ_TIMEOUT_MS", { $0.requestReadTimeout = .seconds(-1) }),
            ("DRAIN_GRACE_S", { $0.drainGrace = .seconds(-1) }),
            ("DRAIN_TIMEOUT_S", { $0.drainTimeout = .seconds(-1) }), ("WORKER_THREADS", { $0.workerThreads = 0 }),
            ("MAX_INFLIGHT", { $0.maxInflight = 0 }), ("MAX_BATCH", { $0.limits.maxBatch = 0 }),
            ("QUEUE_DELAY_MS", { $0.queueDelay = .zero }), ("DEADLINE_MS", { $0.deadline = .milliseconds(-1) }),
        ]
        for (key, change) in changes {
            var configuration = ServerConfiguration()
            change(&configuration)
            do throws(ServerError) {
                try configuration.validate()
                Issue.record("\(key) was accepted")
            } catch {
                #expect(error.description.hasPrefix(key))
            }
        }
    }

    @Test(
        "Host must be a host with an optional port",
        arguments: [
            ("localhost", "localhost"), ("127.0.0.1:8081", "127.0.0.1"), ("[::1]:80", "::1"), ("[::1]", "::1"),
            ("a-b_c.example:", "a-b_c.example"), ("127.0.0.1:80.evil.com", nil), ("127.0.0.1:65536", nil), ("a@b", nil),
            ("a b", nil), ("[::1", nil), ("[]", nil), ("[::1]x", nil), (":80", nil), ("a/b", nil), ("", nil),
        ]
    )
    func readsAuthorities(text: String, host: String?) {
        #expect(Authority(text)?.host == host)
    }

    @Test("the planes share the available descriptors", arguments: [1024, 4096, 11_000, 1 << 20, 2, 130])
    func sharesDescriptors(limit: Int) {
        let configuration = ServerConfiguration()
        let budget = DescriptorBudget(configuration, limit: limit)
        #expect(1...configuration.maxConnections ~= budget.dataConnections)
        #expect(1...configuration.controlMaxConnections ~= budget.controlConnections)
        let sum = budget.dataConnections + budget.controlConnections + DescriptorBudget.reserve
        #expect(sum <= limit || limit < DescriptorBudget.reserve + 4)
        let isEnough =
            limit >= configuration.maxConnections + configuration.controlMaxConnections + DescriptorBudget.reserve
        #expect((budget.shortage(of: configuration, limit: limit) == nil) == isEnough)
    }
}
