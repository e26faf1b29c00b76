/// When to ask again.
struct RetryPolicy {
    /// How many requests one call may send.
    let attempts: Int
    /// The longest wait after the first round.
    let base: Duration
    /// The longest wait.
    let longest: Duration

    /// How long to wait when every address was tried `round` times, at least once.
    ///
    /// Anything from half of the exponential backoff to all of it, so that many clients do not come back together.
    func delay(beforeRound round: Int, using random: inout some RandomNumberGenerator) -> Duration {
        let full = min(longest, base * (1 << min(round - 1, 20)))
        return full * Double.random(in: 0.5...1, using: &random)
    }
}
