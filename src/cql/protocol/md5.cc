#include "cql/protocol/md5.h"

#include <memory>

#include <openssl/evp.h>

#include "base/assert.h"

namespace penumbra::cql {

Md5 md5(std::initializer_list<std::string_view> parts) {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    ASSERT(context && EVP_DigestInit_ex(context.get(), EVP_md5(), nullptr) == 1);
    for (const auto part : parts) ASSERT(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
    Md5 digest{};
    ASSERT(EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1);
    return digest;
}

}  // namespace penumbra::cql
