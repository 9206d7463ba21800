#include "server/http/tls_identities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "server/http/tls_test_kit.h"

namespace gyre::server::http {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TlsIdentitiesTest : public ::testing::Test {
 protected:
  TlsIdentitiesTest() { std::filesystem::create_directories(folder_); }
  ~TlsIdentitiesTest() override { std::filesystem::remove_all(folder_); }

  TlsFiles files(const std::string& name, const char* host, long lifetime_s = 3600) {
    const TestPair pair = make_pair(host, lifetime_s);
    TlsFiles made{folder_ + "/" + name, folder_ + "/" + name + ".key"};
    for (const auto& [path, text] :
         {std::pair(made.certificate, pair.certificate), {made.key, pair.key}}) {
      std::ofstream(path + ".new") << text;
      std::filesystem::rename(path + ".new", path);
    }
    return made;
  }

  /// Whose certificate a client sees that asks for that name, null: for none.
  static std::string shown(const TlsIdentities& server, const char* name, int version) {
    const auto side = server.accept();
    TestClient client(version);
    if (name != nullptr) SSL_set_tlsext_host_name(client.ssl(), name);
    std::string plain;
    for (int round = 0; round < 10; ++round) {
      client.hear();
      side->feed(client.outgoing(), plain);
      client.take(side->take_outgoing());
    }
    if (!client.ready()) return "no handshake";
    X509* own = SSL_get1_peer_certificate(client.ssl());
    std::string host;
    for (const char* one : {"one.example", "two.example", "three.example", "a.b.example"}) {
      if (X509_check_host(own, one, 0, 0, nullptr) == 1) host = one;
    }
    X509_free(own);
    return host;
  }

  const std::string folder_ =
      std::filesystem::temp_directory_path() / ("gyre-tls-names-" + std::to_string(::getpid()));
};

TEST_F(TlsIdentitiesTest, EachNameIsShownItsOwnCertificate) {
  const auto server = TlsIdentities::open({files("a", "one.example"), files("b", "*.b.example")});
  ASSERT_TRUE(server) << server.error().message;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    EXPECT_EQ(shown(**server, "one.example", version), "one.example");
    EXPECT_EQ(shown(**server, "a.b.example", version), "a.b.example");
    EXPECT_EQ(shown(**server, nullptr, version), "one.example");
    EXPECT_EQ(shown(**server, "nobody.org", version), "one.example");
  }
  EXPECT_TRUE((*server)->covers("a.b.example:8643"));
  EXPECT_FALSE((*server)->covers("nobody.org"));
  EXPECT_THAT((*server)->troubles(), IsEmpty());
}

TEST_F(TlsIdentitiesTest, EachIsTakenOverAsItChanges) {
  const auto server = TlsIdentities::open({files("a", "one.example"), files("b", "two.example")});
  ASSERT_TRUE(server) << server.error().message;
  EXPECT_THAT((*server)->refresh(), IsEmpty());
  files("a", "three.example", -3600);
  EXPECT_THAT((*server)->refresh(), ElementsAre(HasSubstr("has been read: " + folder_ + "/a")));
  EXPECT_EQ(shown(**server, "one.example", TLS1_3_VERSION), "three.example");
  EXPECT_EQ(shown(**server, "two.example", TLS1_3_VERSION), "two.example");
  EXPECT_THAT((*server)->troubles(), ElementsAre(folder_ + "/a: it has expired"));
}

TEST_F(TlsIdentitiesTest, AFileThatIsOfNoUseIsNamed) {
  const TlsFiles good = files("a", "one.example");
  const auto server = TlsIdentities::open({good, {folder_ + "/none", good.key}});
  EXPECT_THAT(server.error().message, HasSubstr("/none cannot be read"));
}

}  // namespace
}  // namespace gyre::server::http
