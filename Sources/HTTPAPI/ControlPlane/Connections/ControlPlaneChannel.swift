import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// The settings that all connections of the control plane share.
struct ControlConnectionSettings: Sendable {
    /// The largest accepted body.
    let maxBodyBytes: Int
    /// How long a connection may be idle.
    let idleTimeout: TimeAmount
    /// How long a request may take to arrive.
    let requestReadTimeout: TimeAmount
}

/// A connection of the control plane: Hummingbird's HTTP/1 behind a ``RequestGate``.
struct ControlPlaneChannel: HTTPChannelHandler {
    typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    let responder: Responder
    let settings: ControlConnectionSettings
    let connections: ControlConnections

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            var limits = NIOHTTPDecoderLimitConfiguration()
            limits.maxHeaderFieldSize = 16_384
            limits.maxHeaderListSize = 32_768
            limits.maxHeaderFieldCount = 100
            let chunks = ChunkSizeCheck(limit: settings.maxBodyBytes)
            try pipeline.addHandler(chunks)
            // The gate replaces NIO's handlers for pipelining and errors.
            try pipeline.configureHTTPServerPipeline(
                withPipeliningAssistance: false,
                withErrorHandling: false,
                withOutboundHeaderValidation: false,
                withEncoderConfiguration: .init(),
                withDecoderLimitConfiguration: limits
            )
            let gate = RequestGate(settings: settings, connections: connections, chunks: chunks)
            try pipeline.addHandler(gate)
            try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
            return try Value(
                wrappingChannelSynchronously: channel,
                configuration: .init(isOutboundHalfClosureEnabled: true)
            )
        }
    }

    func handle(value: Value, logger: Logger) async { await handleHTTP(asyncChannel: value, logger: logger) }
}
