//! How often bytes and 4-byte windows are expected in mail, by built-in statistics.
//!
//! Counted over decoded text parts of real mail, letters folded: how often a class of bytes
//! follows another. Only the literal table's choice of keys and of its first stage depends on it,
//! never what it finds. Integers only, so that every machine builds the same table.

/// How many classes bytes fall into: 26 letters, then one each for space, `.-/<>=":,` and line
/// feed, then digits, other ASCII bytes, and bytes from 0x80.
const CLASSES: usize = 40;
/// The class of digits.
const DIGIT: u8 = 37;
/// The class of ASCII bytes without a class of their own.
const OTHER: u8 = 38;
/// The class of bytes from 0x80.
const HIGH: u8 = 39;
/// What is subtracted from the bytes of [`LOGARITHMS`].
const ZERO: u8 = 48;
/// [`windows`] and [`byte`] count in this many bytes: 2⁴⁰.
pub(super) const SCALE_BITS: u32 = 40;

/// −4 · log₂ of the probability of a byte of the class, alone (first row) and after a byte of each
/// class; plus [`ZERO`].
const LOGARITHMS: [&[u8; CLASSES]; CLASSES + 1] = [
    br"BHEF?GHEBUNDGBAGUBC@HLIRJS;IIHHGIHONEQUl",
    br"UD@BUNEOBXJ=C;XHZ>@=JGORFQ@PUVYHbM\JP\ao",
    br"AMPR<VDSCKV<LS<UZ<>N@TSWDXIFSS]?aV_XWW^o",
    br">TEO;UP?BV@AQH8TTDM@FVZ^M\HLWR]]ER[UUV^o",
    br"ARQD;TNP>XZLNKATRGF@GLRXG\7HMRT@KRRJIZZo",
    br"CLDAEFLUF`QCE?NKQ<?AVIJHLZ9FOPQLCPMLI^[o",
    br"?XOVB=Z\@[^LUU7WY@QEF^W[Q[<ORV]TCA`QLU]o",
    br"CTDS;RK=>XYIS?CPWAFOFRVYMT9HPISKCNRLHZ[o",
    br"<VWS7\[\>[ZRSO?N\AQ;L[ZcNW@NRTW\AYZQP]_o",
    br"DK@@EC@YQYN@C9AJSF>>VE^R^DGVTS`N_adYW`^o",
    br">JGK;NNLELKGDN;@KLFM9KIHMJMLS^cU^Tg[PO]k",
    br"DNQO8RFP>MTINDLMFO@BLVRXLR:DLHQRKGTIFWQo",
    br"@SQE;OVZ:[P=LU=I^SDFEHUYAY=IROVMUJRHL\[o",
    br"9GRP:UDO@[\EGT?AYRDQGSWXGW?IM>QN[LMNJ\Zo",
    br"CFD>=I=VEXIHQLAOYUB:INW\IW<JMOUQFQQMLaXo",
    br"NLHFPAIVMXLA=9GD^;FC=HDRSX?NQPZhaZPTPdbo",
    br"<UOO>WKFEVX@HX@DZ>GBDWXNLVALPQWBYM<PP[Po",
    br"MQJNMNHNKLFIILGL@OLL5LKLMLIBIWRV<VSORNYg",
    br"ASDC9QFV>[IJGH?K[JCDHLT^G]<JOTU?CJOMM_]o",
    br"CTHR=PVE>\NNNPB@XGA<DZQ]L[9CLHNZORNFH^Yo",
    br"BSPC>VX:?b\LJU?BaBFAJXNZG\;GLNVEGMQMKaZo",
    br"ECCGBODYDYP?E>JB\;<=WW[HMV@G\V[QY_cSQ^[o",
    br"<NKJ3VWU;UVMRTEQTTKSQWXTNOGNUQ\GOZTVSX^o",
    br"?VTR=SV?9YYPUF@WXGDRXS:USZ@>TSUcdVWPPZ\o",
    br"DMCM@MSJ@MSIBJJ>NLM:KMQFLP<=IKQaMJOKJPTk",
    br"JLPPDWTXIV[DKK9DYMCJSZKUTS6CNPMGRNIDFXVo",
    br"DPI@4TLJBPPKINAOSNJKMMHIKEIHOOSh_VYVOR]n",
    br"@DCGHDJDBQRHEHCFVGA?KMC[I^7XNUFP[Q[fFUYo",
    br"HK9LLKAEGLUILCEHYLFJKUKSSK:@W[GfoLYV=L\o",
    br"KHJJLHQPLTSHHQMLWKBGKUMWTU@^3XVGI]oiCM\o",
    br"@?BGK=MFCTWEGKLDYHC;LS?PZXO[W;\LnNemFP[o",
    br"B;OLW>\JA_aMO_KBnTI;QYZ`ok]oa5Undjoo^kXo",
    br"LRKOPORMNW\QOQQN\PLKVVOdR_;RJg6K`[^V7[Vl",
    br"LPKURSUNTVcPPXZWXPRL[SVa]_MoF[\U:3ooPIUo",
    br"ELFTRMQ?PY[NHSVP_LKFSIR_Y`7RKXW9oM_SJGPo",
    br"OSQTVQWRVV]QTNWMhSPLUSTY_d8UO4GgoVJm?LWo",
    br"N\T^aXTLVgd_\^\SbXMY`WYa_a1d\oOojLoXAN[o",
    br"FJHJKJNFFSULIMIJYJFDOSI[MZ9XHX=@QO_c8YQl",
    br"NOLNOMTUOTRQSPUKUQQQTRURRT?BGHOE[=JHIAQo",
    br"GJILJEQOKWVJKBQLKKCFPNQSU]>NJOBR[GRPAKFn",
    br"LNRRSOPMHLTOIIIQPRILPRRRUTCNX^JddM[RHUWJ",
];

/// The class of a byte, letters folded.
const fn class(byte: u8) -> u8 {
    match byte | 0x20 {
        letter @ b'a'..=b'z' => letter - b'a',
        b' ' => 26,
        b'.' => 27,
        b'-' => 28,
        b'/' => 29,
        b'<' => 30,
        b'>' => 31,
        b'=' => 32,
        b'"' => 33,
        b':' => 34,
        b',' => 35,
        b'*' => 36,
        b'0'..=b'9' => DIGIT,
        0x80..=0xff => HIGH,
        _ => OTHER,
    }
}

/// −4 · log₂ of the probability of a byte after another, or alone.
fn logarithm(before: Option<u8>, byte: u8) -> u32 {
    let row = before.map_or(0, |before| usize::from(class(before)) + 1);
    let column = usize::from(class(byte));
    LOGARITHMS
        .get(row)
        .and_then(|row| row.get(column))
        .map_or(0, |letter| u32::from(letter - ZERO))
}

/// 2 to the power of `40 - quarters / 4`, rounded down, at least 1.
fn power(quarters: u32) -> u64 {
    // 2^40, 2^39.75, 2^39.5, 2^39.25.
    const STEPS: [u64; 4] = [
        1_099_511_627_776,
        924_575_386_326,
        777_472_127_993,
        653_773_525_389,
    ];
    let step = STEPS
        .get(usize::try_from(quarters % 4).unwrap_or(0))
        .copied()
        .unwrap_or(0);
    (step >> (quarters / 4).min(63)).max(1)
}

/// How many times the window is expected in 2⁴⁰ bytes of mail, letters folded.
pub(super) fn window(window: [u8; 4]) -> u64 {
    let [a, b, c, d] = window;
    power(
        logarithm(None, a) + logarithm(Some(a), b) + logarithm(Some(b), c) + logarithm(Some(c), d),
    )
}

/// How many times the byte is expected in 2⁴⁰ bytes of mail; capital letters are taken to be one
/// in sixteen.
pub(super) fn byte(byte: u8) -> u64 {
    let folded = power(logarithm(None, byte));
    match byte {
        b'a'..=b'z' => folded - folded / 16,
        b'A'..=b'Z' => folded / 16,
        // Bit 5 tells these from more usual ones of the same class.
        0..=0x1f if byte != b'\n' && byte != b'\r' => folded / 64,
        b'*' | b'@' | b'[' | b'\\' | b']' | b'^' | b'`' | b'{' | b'|' | b'}' | b'~' => folded / 16,
        _ => folded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_windows_are_expected_more_often_than_rare_ones() {
        assert!(window(*b"tion") > 20 * window(*b"xqzj"));
        assert!(window(*b" the") > window(*b"viag"));
        assert_eq!(window(*b"THE "), window(*b"the "));
        assert!(byte(b'e') > byte(b'E') && byte(b'E') > byte(0x07));
    }

    #[test]
    fn bytes_add_up_to_about_everything() {
        let sum: u64 = (0..=u8::MAX).map(byte).sum();
        assert!(
            sum.abs_diff(1 << SCALE_BITS) < (1 << SCALE_BITS) / 8,
            "{sum}"
        );
    }

    #[test]
    fn powers_halve_every_four_steps() {
        assert_eq!(power(0), 1 << 40);
        assert_eq!(power(4), 1 << 39);
        assert_eq!(power(400), 1);
    }
}
