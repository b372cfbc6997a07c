//! Hashes made by Dovecot 2.3 and crypt(3), and what must be refused.

use super::*;

const ASCII: &str = "correct horse";
const UNICODE: &str = "pässwörd-漢字 ";

const OF_ASCII: &[&str] = &[
    "{SHA1}L55TUjtiq8FBorTWAZ0jy6g129A=",
    "{SSHA512}xhL0oKOWO+2BjTqvqmxpk9tg+pt6R1ulTPiRc+V/tEG6zaw4i1hpiLoQrhJvLz/dGJJcjHf4zD1kJ7OjoJQX6IpSKxE=",
    "{BLF-CRYPT}$2y$05$ITGnJkLJ3T9LfP47VZtf4uILnUznLqAXHMMklNQPjCZxFaSuRbpLu",
    "{PLAIN}correct horse",
    "{SHA512}VraY3v7bWkNbY0r+MyC7rz/c2SC2xQOkRvx7endrKY1HnRumqLYXgI6wv1ec6aldZoNHvKtxSQhayTyyeZUZew==",
    "{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=",
    "{CRYPT}$2y$05$1Ek4pGJy6MG9PBrGNNiHJurKW9bGeyHaKgTRTg796YS6mIRq2PJiG",
    "{SSHA}lNMWo7Et6c2QYGVRd2hBnNbbSm9SR4Aj",
    "{MD5-CRYPT}$1$IAVLfXa4$u2CwELP0TZJslnGD10MNI0",
    "{PLAIN-MD5}3cb4e732631f47e6eb961f34554b7cde",
    "{SHA512-CRYPT}$6$0YyFpFdAanqDTHzW$q3yEpOofOK73pCrbv.vGSLabZtZ.DHckoHbUsGOP1c0nJx1aeEI5TUMird2hnZCEZqs9sX0arvq95vMikmgbI1",
    "{CLEAR}correct horse",
    "{CLEARTEXT}correct horse",
    "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$WEpcL0uAn5bMQD8REwcXcg$RLZrrJc09Fl2appcpS1KJR2HbpWgrvm0aWt/cohNQOM",
    "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$Y1ADz6mKwBbegc7G3eaFLw$2cvyc5fFUakEyY+8Dh05COUn3z/1q8+ltXwPvTZaWUE",
    "{SSHA256}ocs6k8kMaaOhVY+LBE6xH1srCT63rT44UaAzs9iUEaSCce6n",
    "{MD5}$1$lPMBClnQ$QLJC2uT/F5KNgWAsQsQDv1",
    "{PBKDF2}$1$oeDuEZMaOToWizLH$5000$b5249b1be0c052d9722b0d4ec16f6f4943db895e",
    "{SHA256}QQTTb42iwlQ0n4WDZ5Pr4CngyVcGOjTJHC6SAxh7VjE=",
    "{SHA256-CRYPT}$5$o7g1i1RvQYrmMG/i$w0MDGYgMDQtWC3u95z2ky3EPelOF622TUkPalGvw05D",
    "{SMD5}5sxju4T42dO+c73ZssUTb9GF9l0=",
    "{LDAP-MD5}PLTnMmMfR+brlh80VUt83g==",
    "{PLAIN-MD5.B64}PLTnMmMfR+brlh80VUt83g==",
    "{LDAP-MD5.HEX}3cb4e732631f47e6eb961f34554b7cde",
    "{SSHA.HEX}844918edc9c82a21adcf7c8751b887a416077c320cbc4f15",
    "{SSHA256.HEX}7fd71ee4e49ef4a1f8801a08c02e4bcb0032eee558cf5f877830303f3c2a59b6a18246aa",
    "{SSHA512.HEX}0572bd1ffc401d3972948803d765809588dd7c693870da220edc7b3c12ec2f827af95fea26a6d33448190e80afdcde22f2f43dc52f2b3b253f93f5cdf21ff790c317e513",
    "{SMD5.HEX}cb4e6ea8c593a954b1eadeb103c02870317cf1bb",
    "{SHA.HEX}2f9e53523b62abc141a2b4d6019d23cba835dbd0",
    "{SHA256.HEX}4104d36f8da2c254349f85836793ebe029e0c957063a34c91c2e9203187b5631",
    "{SHA512.HEX}56b698defedb5a435b634afe3320bbaf3fdcd920b6c503a446fc7b7a776b298d479d1ba6a8b617808eb0bf579ce9a95d668347bcab7149085ac93cb27995197b",
    "{SHA512-CRYPT.B64}JDYkak9VNzQ3YVZxSmd1RnpZMSR0aXpqdU1xTzlldlo4bmtDZHFYTkh5YzJZYkw2UjdpNjUuQzFpeGM3ZHlRcjNwaS5IYXZSWVhsdlVkazNFYjZtakVRSndXMjhaUEFXNldlWko3My5tMQ==",
    "{BLF-CRYPT.HEX}24327924303524336a4a6661723644466e4a446d683556302f7a5551656e5136446b42426d7a395263594c6332332e5a707a666c36616c4b44496e2e",
    "{SHA512-CRYPT.BASE64}JDYkWlJyd0tnZE4yRmFJMFdVOSRuTlAwVHF4UkNqQ0N1RWo5aGRYRi5Tb0RubWRzQXdKa3VOYklKSWNadkN6clY0NVFtNHpzRC9LR3RUTTlhMVNiLkZFQzBENzByQnF5Rm9IVGNpWXJGMA==",
    "{PLAIN.B64}Y29ycmVjdCBob3JzZQ==",
    "{CLEARTEXT.HEX}636f727265637420686f727365",
    "{MD5-CRYPT.HEX}2431244a55556f567a306324564e434a6a51462e396b303461307536483831756630",
    "{PBKDF2.B64}JDEkR3RPY1dTV3RFNFVwSXU4USQ1MDAwJDkxYzBiMTYwMTI1NTI2YTUxMjY3MjdlZmM1MGVlZTgwOWVhZWFjYmU=",
    "{ARGON2ID.B64}JGFyZ29uMmlkJHY9MTkkbT02NTUzNix0PTMscD0xJFRDZHNJc0VJNk4xMFhsM25SajdUNXckU2hGNjhlWElSU3c3VnhqZjNuZ05sbE9JVXNuZzZvZmVCL3QwNlFscE10MA==",
    "{SSHA.B64}AJbdUtEyxj3nxMUbFyMGuwKzQy/tsECi",
    "{SHA512-CRYPT}$6$rounds=20000$tuPsCVyQkBN9eWsg$OABikcoG39LmKauJeJTFTvfuQCMsv.kTTf3WsbMwiEEv4ioopuysBshlixbP5ILGvahY4dgNVBPHkhuosIOjx/",
    "{SHA256-CRYPT}$5$rounds=1000$8BackKW99pl1bbR.$TOdMRCP.qJxEeSS/cUV0zpTELeN2cZEqJNiqviGwIPD",
    "{CRYPT}$2y$10$ffybcnaohLU6S27MGC5Jb.8tQIAXw5CSC2rHNKsgkB.j9ZImxA.2.",
    "{crypt}$1$nQnfQvyQ$AhUjCX6l9D7Uff.WijLoy0",
    "{CRYPT}$5$j4kS.8U2EHa3NWqf$hlDvU4i/kpMkUn3icrb9ylCbcAk40nz/Bw/Qz4aCuA9",
    "$6$ab.c/d$kqP0SpwK.cgJH9e8K/0SXSQKkrQovYhN5YdoPGPgTdiEffGb.jwZP2Gof8Pz9LVbDlDybzRwo64GlcSxshx7b/",
    "$1$deadbeef$dedjvjO4ZAEydph55Edcn/",
];

const OF_UNICODE: &[&str] = &[
    "{SHA1}+GQ91jji5V2YDISIeov2/U+9DXo=",
    "{SSHA512}DSo3q4mmq5eQRSYM28LSSoZM7iRw0c6PilsRdXdDutE9mq5h5IBvLxIc1T1gmGFimsTpgG2rqsQ1qMwjSMSoUh+vAuA=",
    "{BLF-CRYPT}$2y$05$AoKJCiNPEUuPjXuMp6skQeFUcoT/9g2Ao.iaDZwGretz5R5oTeAKG",
    "{PLAIN}pässwörd-漢字 ",
    "{SHA512}hEPGRuwx6HyUTXmIb4P3R1cwXmnto1lHV1h0KqyzRXqXNsKQ2BniLbkYkXRSJvgPiQnderGqWpb3lg3YKe8SIA==",
    "{SHA}+GQ91jji5V2YDISIeov2/U+9DXo=",
    "{CRYPT}$2y$05$2P9u7rO.IDm.ZS7kiV7Naurl4F4NP//iTDi57L0sfdDvIVuP9yx72",
    "{SSHA}sca5lDr/7ftMe4zAyjZa0XDc/wD1ABMQ",
    "{MD5-CRYPT}$1$oHykpMT7$g2tM4EMsT/q2UudVMiHCl1",
    "{PLAIN-MD5}9ad7459b55633c4f6d1c24015be28f6f",
    "{SHA512-CRYPT}$6$Ox253KFij4E0hyGo$0skKcIq9lhhi70KUWfhQU30MFXAe0HI/hTZKgzzCP7QQx5kT5AH5T76jrNpUgFf3eLki5TIPE8hj55h7sHgKz.",
    "{CLEAR}pässwörd-漢字 ",
    "{CLEARTEXT}pässwörd-漢字 ",
    "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$INBMV7fTwwtuChOPGQD1rw$vBCw2EftIWY9IgRDDZosOp80vwljchtepTC2I2dCyE0",
    "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$ptdr3BrylI85zVcT4JibSw$2WOk+NhGu5W2d325s1OfAewzg5APbtgrzoxomZ5wt1M",
    "{SSHA256}Zmbkn46wF+D7UkyrkWktzH9Zzn8LqBb98hQbAcFKZ4/MZI5Q",
    "{MD5}$1$UnhS7YaF$T.QgVQ6vjcXC3WW/y/eGu.",
    "{PBKDF2}$1$gS4d2rMojPthLCmL$5000$93f7a34b0e0c68134d614b6eecb4b230a6663155",
    "{SHA256}8HB731PsK0VB+Ywm+DMryzafwmvGMX1e93HhFSdbGq4=",
    "{SHA256-CRYPT}$5$uEGqyQ1DOvso2XJ6$hrVAYRmJXRpMJ0ldeSa8g/UjRKv4tU7B7lf/UMQyFv.",
    "{SMD5}mGg7PJ6gClLDQlur7NFMEryi618=",
    "{LDAP-MD5}mtdFm1VjPE9tHCQBW+KPbw==",
    "{PLAIN-MD5.B64}mtdFm1VjPE9tHCQBW+KPbw==",
    "{LDAP-MD5.HEX}9ad7459b55633c4f6d1c24015be28f6f",
    "{SSHA.HEX}1b10f764ebf908a4d14e00848e99f739c39d254a6a05445c",
    "{SSHA256.HEX}628ab1ae62b3e5b1966205670ce36798fb89dc87051539f4d268747bb80d7922a046e8a3",
    "{SSHA512.HEX}ecc86682cae79c0d311d509e43101debf17574af1b962c06a7d3f7a0f76868af0bcb461effa34e42fb92f8f596e64c4eedbd72c64f4904e811fbf56d9dc57299811e34b2",
    "{SMD5.HEX}67274db4a4e4838251d2e8932e77dc7b43ee5eb3",
    "{SHA.HEX}f8643dd638e2e55d980c84887a8bf6fd4fbd0d7a",
    "{SHA256.HEX}f0707bdf53ec2b4541f98c26f8332bcb369fc26bc6317d5ef771e115275b1aae",
    "{SHA512.HEX}8443c646ec31e87c944d79886f83f74757305e69eda359475758742aacb3457a9736c290d819e22db91891745226f80f8909dd7ab1aa5a96f7960dd829ef1220",
    "{SHA512-CRYPT.B64}JDYkODN1Z2ZWVnpsRGVqYnFyViQ5ejFqQkRaQ2pvYzJLM3UvN0FWYVYzVmFTTnZXcDNYM2t6MDg3S2lCbERuNTlkdnlQVWZtelk5blJLR09zZjJTTUxhcnhHOHJJQ2c3c2l3Zy5XUzVhMA==",
    "{BLF-CRYPT.HEX}24327924303524387633536c2f41436f65734d4f3231336f326850414f377654484d32626a72496f677373534279625a7841694f2f747a6a6a374769",
    "{SHA512-CRYPT.BASE64}JDYkNFREakJQQlM3eUVia3lZNyRhNjFZM3ZWN0N0Zm9lSFhVLndmVEdXb1hiWUE0WlVXUjNBLnFnbWh0UGtEdC9RZFNzTDhscEU2bFh0Qzc4VmE3WTZmakxPTURzbEIvaEJvNXM2WURVMQ==",
    "{PLAIN.B64}cMOkc3N3w7ZyZC3mvKLlrZcg",
    "{CLEARTEXT.HEX}70c3a4737377c3b672642de6bca2e5ad9720",
    "{MD5-CRYPT.HEX}2431245069767774753441247675784c456b727a4a5a616e6e3436377074745a592f",
    "{PBKDF2.B64}JDEkLlBNaDlYc1M1eGFMajNUTiQ1MDAwJDhmZTYyYmY1MDE1OTdiYTM1Y2NkZGNjOTEwN2RiZmM0ZDlkMTQ5ZDg=",
    "{ARGON2ID.B64}JGFyZ29uMmlkJHY9MTkkbT02NTUzNix0PTMscD0xJE01bE9QWGg1VHNtbUFxWm02dVc2TEEkV0NRRzFwb0dsMjh1Zi9CN0F4OEx3dG9RYW4wYTRaVU85RVFIS0x3Z2xHSQ==",
    "{SSHA.B64}TpxYd4VjT98k43slrpq1LGxUlBigsyx6",
];

fn stored(hash: &str) -> Stored {
    Stored::parse(hash).unwrap_or_else(|error| panic!("{hash}: {error}"))
}

#[test]
fn every_scheme_accepts_its_password_and_no_other() {
    for (password, hashes) in [(ASCII, OF_ASCII), (UNICODE, OF_UNICODE)] {
        for hash in hashes {
            let stored = stored(hash);
            assert!(stored.verify(password.as_bytes()), "{hash}");
            for wrong in [
                "",
                "Correct horse",
                "correct horse ",
                "correct hors",
                "pässwörd-漢字",
            ] {
                assert!(!stored.verify(wrong.as_bytes()), "{hash} accepts {wrong:?}");
            }
        }
    }
}

#[test]
fn crypt_corner_cases() {
    assert!(stored("$1$x$fwjfZtMwarkdetsjiQreU1").verify(b""));
    let long = "a".repeat(73);
    assert!(stored("$1$abcdefghij$QwrTivECdNIL2NgaknwaE.").verify(long.as_bytes()));
    let bcrypt = stored("$2y$04$CCCCCCCCCCCCCCCCCCCCC.K7Qr0se1MxuggH4aP4YgB.U2Em1pGSK");
    assert!(bcrypt.verify(b"U*U"));
}

#[test]
fn refuses_what_it_cannot_verify() {
    for hash in [
        "",
        "secret",
        "$",
        "$$",
        "{",
        "{}",
        "{}secret",
        "{NTLM}8846f7eaee8fb117ad06bdd830b7586c",
        "{CRYPT}ab1hNgnBHrSLk",
        "{SSHA}not base64!",
        "{SHA}L55TUjtiq8FBorTWAZ0jy6g129",
        "{SHA}L55TUjtiq8FBorTWAZ0jy6g129AAAA==",
        "{SSHA}L55TUjtiq8FBorTWAZ0jy6g129A=",
        "{SSHA.HEX}844",
        "{SHA512-CRYPT}$5$o7g1i1RvQYrmMG/i$w0MDGYgMDQtWC3u95z2ky3EPelOF622TUkPalGvw05D",
        "{ARGON2ID}$argon2i$v=19$m=32768,t=4,p=1$WEpcL0uAn5bMQD8REwcXcg$RLZrrJc09Fl2appcpS1KJR2HbpWgrvm0aWt/cohNQOM",
        "$argon2d$v=19$m=32768,t=4,p=1$WEpcL0uAn5bMQD8REwcXcg$RLZrrJc09Fl2appcpS1KJR2HbpWgrvm0aWt/cohNQOM",
        "$argon2id$v=19$m=65536,t=3,p=1$Y1ADz6mKwBbegc7G3eaFLw",
        "$argon2id$v=19$m=65536,t=3,p=1",
        "$2x$05$ITGnJkLJ3T9LfP47VZtf4uILnUznLqAXHMMklNQPjCZxFaSuRbpLu",
        "$2y$03$ITGnJkLJ3T9LfP47VZtf4uILnUznLqAXHMMklNQPjCZxFaSuRbpLu",
        "$2y$05$ITGnJkLJ3T9LfP47VZtf4uILnUznLqAXHMMklNQPjCZxFaSuRbpL",
        "$5$$w0MDGYgMDQtWC3u95z2ky3EPelOF622TUkPalGvw05D",
        "$5$rounds=999$8BackKW99pl1bbR.$TOdMRCP.qJxEeSS/cUV0zpTELeN2cZEqJNiqviGwIPD",
        "$5$rounds=x$8BackKW99pl1bbR.$TOdMRCP.qJxEeSS/cUV0zpTELeN2cZEqJNiqviGwIPD",
        "$6$salt$",
        "$1$deadbeef",
        "{PBKDF2}$1$salt$0$b5249b1be0c052d9722b0d4ec16f6f4943db895e",
        "{PBKDF2}$1$salt$5000$b5249b1be0c052d9722b0d4ec16f6f4943db89",
        "{PBKDF2}$2$salt$5000$b5249b1be0c052d9722b0d4ec16f6f4943db895e",
        "{BLF-CRYPT.HEX}ff",
    ] {
        assert!(
            matches!(Stored::parse(hash), Err(Error::HashUnsupported)),
            "{hash:?}"
        );
    }
    assert!(matches!(
        Stored::parse(&"{PLAIN}".repeat(200)),
        Err(Error::HashUnsupported)
    ));
}

#[test]
fn refuses_what_would_take_too_long() {
    for hash in [
        "$argon2id$v=19$m=262145,t=1,p=1$Y1ADz6mKwBbegc7G3eaFLw$2cvyc5fFUakEyY+8Dh05COUn3z/1q8+ltXwPvTZaWUE",
        "$argon2id$v=19$m=65536,t=33,p=1$Y1ADz6mKwBbegc7G3eaFLw$2cvyc5fFUakEyY+8Dh05COUn3z/1q8+ltXwPvTZaWUE",
        "$argon2id$v=19$m=65536,t=1,p=17$Y1ADz6mKwBbegc7G3eaFLw$2cvyc5fFUakEyY+8Dh05COUn3z/1q8+ltXwPvTZaWUE",
        "$2y$16$ITGnJkLJ3T9LfP47VZtf4uILnUznLqAXHMMklNQPjCZxFaSuRbpLu",
        "$6$rounds=1000001$tuPsCVyQkBN9eWsg$OABikcoG39LmKauJeJTFTvfuQCMsv.kTTf3WsbMwiEEv4ioopuysBshlixbP5ILGvahY4dgNVBPHkhuosIOjx/",
        "{PBKDF2}$1$oeDuEZMaOToWizLH$1000001$b5249b1be0c052d9722b0d4ec16f6f4943db895e",
    ] {
        assert!(
            matches!(Stored::parse(hash), Err(Error::HashTooExpensive)),
            "{hash}"
        );
    }
}

proptest::proptest! {
    #[test]
    fn no_text_upsets_the_parser(text in "(\\{[A-Z0-9.-]{0,12}\\})?[$a-z0-9=,./+]{0,80}|.{0,60}") {
        let _ = Stored::parse(&text);
    }

    #[test]
    fn hexadecimal_is_undone(octets: Vec<u8>) {
        let text: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(hex(&text), Some(octets));
    }
}
