//! CREATE, DELETE, RENAME, SUBSCRIBE, LIST, LSUB, STATUS, NAMESPACE.

use super::{Fixture, SMALL};

#[tokio::test]
async fn a_new_account_has_its_mailboxes() {
    let fixture = Fixture::new().await;
    let mut client = fixture.alice().await;
    assert_eq!(
        client.ok("LIST \"\" *").await,
        [
            "* LIST (\\HasNoChildren) \"/\" INBOX",
            "* LIST (\\HasNoChildren \\Archive) \"/\" Archive",
            "* LIST (\\HasNoChildren \\Drafts) \"/\" Drafts",
            "* LIST (\\HasNoChildren \\Junk) \"/\" Junk",
            "* LIST (\\HasNoChildren \\Sent) \"/\" Sent",
            "* LIST (\\HasNoChildren \\Trash) \"/\" Trash",
        ]
    );
    assert_eq!(
        client.ok("LIST \"\" \"\"").await,
        ["* LIST (\\Noselect) \"/\" \"\""]
    );
    assert_eq!(
        client.ok("LSUB \"\" \"\"").await,
        ["* LSUB (\\Noselect) \"/\" \"\""]
    );
    assert_eq!(
        client.ok("LIST \"\" inbox").await,
        ["* LIST (\\HasNoChildren) \"/\" INBOX"]
    );
    assert_eq!(client.ok("LIST (SPECIAL-USE) \"\" (J% S%)").await.len(), 2);
}

#[tokio::test]
async fn creating_renaming_and_deleting() {
    let fixture = Fixture::new().await;
    let mut client = fixture.alice().await;
    for (command, answer) in [
        ("CREATE Work/2024/", "OK CREATE completed"),
        ("CREATE work", "OK CREATE completed"),
        ("CREATE Work", "NO [ALREADYEXISTS] Mailbox exists already"),
        ("CREATE inbox", "NO [ALREADYEXISTS] Mailbox exists already"),
        (
            "CREATE \"a//b\"",
            "NO [CANNOT] invalid mailbox name: empty hierarchy level",
        ),
        ("DELETE Work", "NO [HASCHILDREN] Mailbox has children"),
        ("DELETE INBOX", "NO [CANNOT] Not possible on the INBOX"),
        ("DELETE Nothing", "NO [NONEXISTENT] Mailbox does not exist"),
        ("RENAME Work Job", "OK RENAME completed"),
        (
            "RENAME Work Other",
            "NO [NONEXISTENT] Mailbox does not exist",
        ),
        (
            "RENAME Job INBOX",
            "NO [ALREADYEXISTS] Mailbox exists already",
        ),
        (
            "RENAME Job Job/2024/x",
            "NO [CANNOT] Mailbox would lie below itself",
        ),
        ("DELETE Job/2024", "OK DELETE completed"),
        ("DELETE Job", "OK DELETE completed"),
        ("CREATE Notes (USE (\\Important))", "OK CREATE completed"),
        (
            "CREATE Sent2 (USE (\\Sent))",
            "NO [USEATTR] Another mailbox has this special use",
        ),
        (
            "CREATE All (USE (\\All))",
            "NO [USEATTR] Special use is not possible",
        ),
        (
            "CREATE B (USE (\\Junk \\Trash))",
            "NO [USEATTR] Special use is not possible",
        ),
    ] {
        assert_eq!(client.answer(command).await, answer, "{command}");
    }
    let listed = client.ok("LIST \"\" N%").await;
    assert_eq!(listed, ["* LIST (\\HasNoChildren \\Important) \"/\" Notes"]);
}

#[tokio::test]
async fn renaming_the_inbox_moves_its_messages() {
    let fixture = Fixture::new().await;
    let mut client = fixture.alice().await;
    client.append("INBOX", SMALL).await;
    client.ok("RENAME INBOX Old").await;
    assert_eq!(
        client.ok("STATUS INBOX (MESSAGES)").await,
        ["* STATUS INBOX (MESSAGES 0)"]
    );
    assert_eq!(
        client.ok("STATUS Old (MESSAGES)").await,
        ["* STATUS Old (MESSAGES 1)"]
    );
}

#[tokio::test]
async fn subscriptions_outlive_mailboxes() {
    let fixture = Fixture::new().await;
    let mut client = fixture.alice().await;
    for name in ["Archive", "Drafts", "Junk", "Sent", "Trash"] {
        client.ok(&format!("UNSUBSCRIBE {name}")).await;
    }
    client.ok("CREATE a/b/c").await;
    client.ok("SUBSCRIBE a/b/c").await;
    client.ok("SUBSCRIBE not/there").await;
    client.ok("UNSUBSCRIBE never").await;
    assert_eq!(
        client.ok("LSUB \"\" *").await,
        [
            "* LSUB () \"/\" INBOX",
            "* LSUB () \"/\" a/b/c",
            "* LSUB () \"/\" not/there"
        ]
    );
    // RFC 3501 §6.3.9: names above subscriptions, where `%` stops.
    assert_eq!(
        client.ok("LSUB \"\" %").await,
        [
            "* LSUB () \"/\" INBOX",
            "* LSUB (\\Noselect) \"/\" a",
            "* LSUB (\\Noselect) \"/\" not"
        ]
    );
    assert_eq!(
        client.ok("LSUB a/ %").await,
        ["* LSUB (\\Noselect) \"/\" a/b"]
    );
    client.ok("DELETE a/b/c").await;
    assert_eq!(
        client.ok("LIST (SUBSCRIBED) \"\" *").await,
        [
            "* LIST (\\HasNoChildren \\Subscribed) \"/\" INBOX",
            "* LIST (\\NonExistent \\Subscribed) \"/\" a/b/c",
            "* LIST (\\NonExistent \\Subscribed) \"/\" not/there",
        ]
    );
}

#[tokio::test]
async fn extended_list() {
    let fixture = Fixture::new().await;
    let mut client = fixture.alice().await;
    client.ok("CREATE a/b/c").await;
    client.ok("SUBSCRIBE a/b/c").await;
    assert_eq!(
        client.ok("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" a%").await,
        ["* LIST (\\HasChildren) \"/\" a (\"CHILDINFO\" (\"SUBSCRIBED\"))"]
    );
    // What is below shows itself here.
    assert_eq!(
        client.ok("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" a*").await,
        ["* LIST (\\HasNoChildren \\Subscribed) \"/\" a/b/c"]
    );
    assert_eq!(
        client
            .ok("LIST \"\" (INBOX a/b/%) RETURN (SUBSCRIBED CHILDREN)")
            .await,
        [
            "* LIST (\\HasNoChildren \\Subscribed) \"/\" INBOX",
            "* LIST (\\HasNoChildren \\Subscribed) \"/\" a/b/c",
        ]
    );
    assert_eq!(
        client
            .ok("LIST \"\" % RETURN (STATUS (MESSAGES UNSEEN))")
            .await[..2],
        [
            "* LIST (\\HasNoChildren) \"/\" INBOX",
            "* STATUS INBOX (MESSAGES 0 UNSEEN 0)"
        ]
    );
    let answer = client.answer("LIST (RECURSIVEMATCH) \"\" *").await;
    assert_eq!(answer, "BAD expected SUBSCRIBED with RECURSIVEMATCH");
    assert_eq!(
        client.answer("LIST \"\" (\"\" none)").await,
        "OK LIST completed"
    );
}

#[tokio::test]
async fn status_counts() {
    let fixture = Fixture::new().await;
    let mut client = fixture.alice().await;
    client.append("INBOX (\\Seen)", SMALL).await;
    client.append("INBOX (\\Deleted)", SMALL).await;
    let status = client
        .ok("STATUS inbox (MESSAGES RECENT UIDNEXT UNSEEN DELETED SIZE APPENDLIMIT)")
        .await;
    let size = SMALL.len() * 2;
    assert_eq!(
        status,
        [format!(
            "* STATUS INBOX (MESSAGES 2 RECENT 0 UIDNEXT 3 UNSEEN 1 DELETED 1 SIZE {size} \
             APPENDLIMIT 52428800)"
        )]
    );
    let status = client.ok("STATUS INBOX (UIDVALIDITY HIGHESTMODSEQ)").await;
    assert!(
        status[0].starts_with("* STATUS INBOX (UIDVALIDITY "),
        "{status:?}"
    );
    assert_eq!(
        client.answer("STATUS None (MESSAGES)").await,
        "NO [NONEXISTENT] Mailbox does not exist"
    );
    assert_eq!(
        client.answer("STATUS INBOX ()").await,
        "BAD expected a status item"
    );
}

#[tokio::test]
async fn names_travel_as_the_session_speaks() {
    let fixture = Fixture::new().await;
    let mut client = fixture.alice().await;
    client.ok("CREATE Entw&APw-rfe").await;
    assert_eq!(
        client.ok("LIST \"\" E*").await,
        ["* LIST (\\HasNoChildren) \"/\" Entw&APw-rfe"]
    );
    assert!(
        client
            .answer("CREATE \"Entwürfe2\"")
            .await
            .starts_with("NO [CANNOT]")
    );
    client.ok("ENABLE IMAP4rev2").await;
    assert_eq!(
        client.ok("LIST \"\" E*").await,
        ["* LIST (\\HasNoChildren) \"/\" \"Entwürfe\""]
    );
    client.ok("CREATE \"Grüße\"").await;
    let selected = client.ok("SELECT \"Grüße\"").await;
    assert!(
        selected.contains(&"* LIST () \"/\" \"Grüße\"".to_owned()),
        "{selected:?}"
    );
    let mut other = fixture.alice().await;
    assert_eq!(
        other.ok("LIST \"\" G*").await,
        ["* LIST (\\HasNoChildren) \"/\" Gr&APwA3w-e"]
    );
}
