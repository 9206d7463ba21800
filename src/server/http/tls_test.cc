#include "server/http/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "server/http/tls_test_kit.h"

namespace gyre::server::http {
namespace {

using ::testing::HasSubstr;
using State = TlsSide::State;

/// Both ends, cut into pieces of that size on their way.
struct Line {
  explicit Line(const TlsIdentity& identity, int version = TLS1_3_VERSION, std::size_t cut = 1000)
      : server(identity.accept()), client(version), piece(cut) {}

  State pass() {
    State state = State::Open;
    for (int round = 0; round < 10; ++round) {
      client.hear();
      const std::string up = client.outgoing();
      for (std::size_t at = 0; at < up.size(); at += piece) {
        state = server->feed(std::string_view(up).substr(at, piece), heard);
      }
      client.take(server->take_outgoing());
    }
    return state;
  }

  std::unique_ptr<TlsSide> server;
  TestClient client;
  std::size_t piece;
  std::string heard;
};

TEST(Tls, BytesPassBothWaysHoweverTheyAreCut) {
  const TestPair pair = make_pair("localhost");
  const auto identity = TlsIdentity::of(pair.certificate, pair.key);
  ASSERT_TRUE(identity) << identity.error().message;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const std::size_t cut : {1UL, 7UL, 5000UL}) {
      Line line(**identity, version, cut);
      EXPECT_FALSE(line.server->seal("too early"));
      EXPECT_TRUE(line.server->handshaking());
      EXPECT_EQ(line.pass(), State::Open);
      ASSERT_TRUE(line.client.ready() && !line.server->handshaking());
      const std::string big(100'000, 'x');
      line.client.say(big);
      line.pass();
      EXPECT_EQ(line.heard, big);
      EXPECT_TRUE(line.server->seal(big));
      line.client.take(line.server->take_outgoing());
      EXPECT_EQ(line.client.hear(), big);
      line.client.end();
      EXPECT_EQ(line.server->feed(line.client.outgoing(), line.heard), State::Ended);
      EXPECT_TRUE(line.server->seal("the rest of an answer"));
      line.server->end();
      EXPECT_FALSE(line.server->take_outgoing().empty());
    }
  }
}

TEST(Tls, OlderVersionsAreRefused) {
  const TestPair pair = make_pair("localhost");
  const auto identity = TlsIdentity::of(pair.certificate, pair.key);
  Line line(**identity, TLS1_1_VERSION);
  line.pass();
  EXPECT_FALSE(line.client.ready());
  EXPECT_TRUE(line.server->handshaking());
}

TEST(Tls, WhatIsNoTlsIsToldApart) {
  const TestPair pair = make_pair("localhost");
  const auto identity = TlsIdentity::of(pair.certificate, pair.key);
  std::string plain;
  EXPECT_EQ((*identity)->accept()->feed("GET / HTTP/1.1\r\n\r\n", plain), State::PlainHttp);
  const auto side = (*identity)->accept();
  EXPECT_EQ(side->feed("SSH-2.0-OpenSSH_9.2\r\n", plain), State::Broken);
  EXPECT_EQ(side->feed("more", plain), State::Broken) << "it stays so";
  EXPECT_FALSE(side->seal("x"));
  EXPECT_TRUE(plain.empty());
}

TEST(Tls, WhatIsWrongWithAFileIsSaid) {
  const TestPair one = make_pair("localhost");
  const TestPair other = make_pair("localhost");
  const auto why = [](const std::string& certificate, const std::string& key) {
    const auto identity = TlsIdentity::of(certificate, key);
    return identity ? std::string("fine") : identity.error().message;
  };
  EXPECT_THAT(why("", one.key), HasSubstr("the certificate: it begins with no certificate"));
  EXPECT_THAT(why(one.key, one.key), HasSubstr("no certificate"));
  EXPECT_THAT(why(one.certificate, ""), HasSubstr("the key: it is no private key"));
  EXPECT_THAT(why(one.certificate, other.key), HasSubstr("not that of the certificate"));
  EXPECT_THAT(why(one.certificate,
                  "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END "
                  "ENCRYPTED PRIVATE KEY-----\n"),
              HasSubstr("passphrase"));
  EXPECT_THAT(
      why(one.certificate + "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
          one.key),
      HasSubstr("damaged"));
  EXPECT_EQ(why(one.certificate + other.certificate, one.key), "fine");
}

TEST(Tls, ACertificateThatChangesIsTakenOverOnceItFitsItsKey) {
  const std::string folder =
      std::filesystem::temp_directory_path() / ("gyre-tls-" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  const TlsFiles files{folder + "/certificate", folder + "/key"};
  const auto write = [](const std::string& path, const std::string& text) {
    std::ofstream(path + ".new") << text;
    std::filesystem::rename(path + ".new", path);
  };
  EXPECT_THAT(TlsIdentity::open(files).error().message, HasSubstr("certificate cannot be read"));
  const TestPair one = make_pair("one.example");
  write(files.certificate, one.certificate);
  write(files.key, one.key);
  const auto identity = TlsIdentity::open(files);
  ASSERT_TRUE(identity) << identity.error().message;
  EXPECT_TRUE((*identity)->covers("one.example:8643"));
  EXPECT_FALSE((*identity)->covers("two.example"));
  EXPECT_FALSE((*identity)->covers(""));
  EXPECT_EQ((*identity)->refresh(), std::nullopt);
  Line line(**identity);
  line.pass();

  const TestPair two = make_pair("two.example", -3600);
  write(files.certificate, two.certificate);
  EXPECT_THAT((*identity)->refresh().value_or(""), HasSubstr("the one before goes on"));
  EXPECT_EQ((*identity)->refresh(), std::nullopt) << "said once";
  EXPECT_TRUE((*identity)->covers("one.example"));
  EXPECT_EQ((*identity)->trouble(), "");
  write(files.key, two.key);
  EXPECT_THAT((*identity)->refresh().value_or(""), HasSubstr("has been read"));
  EXPECT_TRUE((*identity)->covers("two.example"));
  EXPECT_EQ((*identity)->trouble(), "it has expired");
  line.client.say("still there");
  line.pass();
  EXPECT_EQ(line.heard, "still there");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace gyre::server::http
