#include "app/login_map.h"

#include <cstdio>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penumbra::app {
namespace {

using ::testing::HasSubstr;

class LoginMapTest : public ::testing::Test {
  protected:
    Status read(const std::string& text) {
        std::ofstream(file_) << text;
        return read_login_map(file_, policy);
    }
    std::string problem(const std::string& text) {
        const auto status = read(text);
        return status ? "" : status.error().what;
    }
    ~LoginMapTest() override { std::remove(file_.c_str()); }

    std::string file_ = ::testing::TempDir() + "login_map_test.yaml";
    proxy::LoginPolicy policy;
};

TEST_F(LoginMapTest, SaysWhoIsWho) {
    ASSERT_TRUE(
        read("target:\n  alice: {username: alice_s, password: 'x y'}\n  bob: {username: b, password: ''}\nsource:\n"));
    EXPECT_EQ(policy.names[1].at("alice").username, "alice_s");
    EXPECT_EQ(policy.names[1].at("alice").password, "x y");
    EXPECT_EQ(policy.names[1].size(), 2u);
    EXPECT_TRUE(policy.names[0].empty());
}

TEST_F(LoginMapTest, SaysWhereItIsWrong) {
    EXPECT_THAT(problem("targets: {}\n"), HasSubstr(".yaml:1: unknown key `targets`"));
    EXPECT_THAT(problem("target:\n  alice: {user: x}\n"), HasSubstr(".yaml:2: unknown key `user`"));
    EXPECT_THAT(problem("target:\n  alice: {password: x}\n"), HasSubstr(".yaml:2: the username is missing"));
    EXPECT_THAT(problem("target:\n  alice: x\n"), HasSubstr("expected USER: {username: NAME, password: PASSWORD}"));
    EXPECT_THAT(problem("target:\n  a: {username: b}\n  a: {username: c}\n"), HasSubstr("stands here twice"));
    EXPECT_THAT(problem("target: [1]\n"), HasSubstr("`target` is no map of users"));
    EXPECT_THAT(problem("target: {\n"), HasSubstr(".yaml:"));
    EXPECT_THAT(read_login_map("/nowhere/logins.yaml", policy).error().what, HasSubstr("/nowhere/logins.yaml: cannot"));
}

}  // namespace
}  // namespace penumbra::app
