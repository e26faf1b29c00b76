/// What a column of an events or items file holds, and the names by which it is recognised.
public enum ColumnRole: String, Sendable, CaseIterable {
    /// Whose interaction it is.
    case user
    /// With which item.
    case item
    /// When.
    case time
    /// An item's title.
    case title
    /// An item's categories.
    case categories

    /// The name that wins over all others, as this program writes it.
    var ownName: String { self == .time ? "timestamp" : rawValue }

    /// More than one, for sentences.
    var plural: String {
        switch self {
        case .user: "users"
        case .item: "items"
        case .time: "times"
        case .title: "titles"
        case .categories: "categories"
        }
    }

    /// What to do when the header does not name it.
    var remedy: String {
        switch self {
        case .user, .item, .time:
            "Name it with --\(rawValue)-column, or add a header line that calls it '\(ownName)'."
        case .title, .categories: "Rename one of them to '\(ownName)'."
        }
    }

    /// Recognised names as ``normalised(_:)`` gives them; a name further left wins over one further right.
    ///
    /// A person comes before a session, and a full date with time before a date.
    var names: [String] {
        switch self {
        case .user:
            [
                "user", "userid", "uid", "username", "visitor", "visitorid", "customer", "customerid", "member",
                "memberid", "account", "accountid", "client", "clientid", "player", "playerid", "subscriberid",
                "profileid", "reviewer", "reviewerid", "personid", "userno", "customerno", "anonymousid", "deviceid",
                "cookieid", "session", "sessionid", "usersession", "visitid",
            ]
        case .item:
            [
                "item", "itemid", "iid", "product", "productid", "article", "articleid", "movie", "movieid", "video",
                "videoid", "sku", "skuid", "asin", "parentasin", "content", "contentid", "track", "trackid", "song",
                "songid", "artist", "artistid", "album", "albumid", "book", "bookid", "isbn", "news", "newsid",
                "listing", "listingid", "game", "gameid", "app", "appid", "course", "courseid", "recipe", "recipeid",
                "post", "postid", "document", "documentid", "docid", "goods", "goodsid", "business", "businessid",
                "venue", "venueid", "poi", "poiid", "property", "propertyid", "hotel", "hotelid", "job", "jobid",
                "showid", "mediaid", "offerid", "adid", "aid",
            ]
        case .time:
            [
                "timestamp", "unixtimestamp", "eventtimestamp", "timestampms", "timestampns", "unixtime",
                "unixreviewtime", "utctimestamp", "eventtime", "datetime", "utctime", "time", "ts", "createdat",
                "occurredat", "createdtime", "createtime", "clicktime", "servertime", "reviewtime", "eventdate", "date",
                "tdat", "orderdate", "purchasedate",
            ]
        case .title:
            [
                "title", "itemtitle", "movietitle", "producttitle", "booktitle", "name", "itemname", "productname",
                "trackname", "songname", "headline",
            ]
        case .categories:
            ["categories", "category", "genres", "genre", "tags", "tag", "topics", "topic", "categoryname"]
        }
    }

    /// A name without case, spaces, underscores and hyphens, and without a type such as `:token` at its end.
    static func normalised(_ name: String) -> String {
        let types = [":token", ":token_seq", ":float", ":float_seq"]
        let name = name.lowercased()
        let untyped = types.first(where: name.hasSuffix).map { name.dropLast($0.count) } ?? name[...]
        return String(untyped.filter { !" \t_-".contains($0) })
    }
}

/// The names of the columns of an events file, where they are not to be recognised.
public struct EventColumns: Sendable, Equatable {
    /// The user's, or nil to recognise it.
    public var user: String?
    /// The item's, or nil to recognise it.
    public var item: String?
    /// The time's, or nil to recognise it.
    public var time: String?

    /// Names, or nil where one is to be recognised.
    public init(user: String? = nil, item: String? = nil, time: String? = nil) {
        (self.user, self.item, self.time) = (user, item, time)
    }

    subscript(role: ColumnRole) -> String? {
        switch role {
        case .user: user
        case .item: item
        case .time: time
        case .title, .categories: nil
        }
    }
}
