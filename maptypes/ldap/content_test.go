package ldap_test

// content is what the tables of the tests ask about.
const content = `dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: example
dc: example

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=org
objectClass: organizationalUnit
ou: groups

dn: uid=a,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: mailthing
uid: a
sn: A
cn: Ann
cn;lang-de: Anna
mail: ann@example.org
mailacceptinggeneralid: a
mailacceptinggeneralid: ann
mailacceptinggeneralid: user@example.com
mailacceptinggeneralid: everybody
maildrop: x

dn: uid=b,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: mailthing
uid: b
sn: B
cn: Bob
mail: bob@example.org
mail: bob@sub.example.org
mailacceptinggeneralid: b
mailacceptinggeneralid: many
mailacceptinggeneralid: everybody
maildrop: 1
maildrop: 2
maildrop: 3
anything: one
anything:: AAE=
anything:: YQBi

dn: uid=addr,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: mailthing
uid: addr
sn: Addr
cn: Addr
mailacceptinggeneralid: addr
maildrop: joe@example.com
maildrop: plain
maildrop: @example.com
maildrop: joe@

dn: uid=odd,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: mailthing
uid: odd
sn: Odd
cn: Odd
mailacceptinggeneralid: it's
mailacceptinggeneralid: back\slash
mailacceptinggeneralid: st*r
mailacceptinggeneralid: (paren)
mailacceptinggeneralid: comma,plus+"<>;#
mailacceptinggeneralid:: w6k=
maildrop: odd

dn: uid=none,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: mailthing
uid: none
sn: None
cn: None
mailacceptinggeneralid: nodrop
mailacceptinggeneralid: everybody

dn: cn=team,ou=groups,dc=example,dc=org
objectClass: organizationalRole
objectClass: mailthing
cn: team
mail: team@example.org
mailacceptinggeneralid: team
memberdn: uid=a,ou=people,dc=example,dc=org
memberdn: uid=b,ou=people,dc=example,dc=org

dn: cn=nested,ou=groups,dc=example,dc=org
objectClass: organizationalRole
objectClass: mailthing
cn: nested
mail: nested@example.org
mailacceptinggeneralid: nested
memberdn: cn=team,ou=groups,dc=example,dc=org
memberdn: uid=addr,ou=people,dc=example,dc=org

dn: cn=routed,ou=groups,dc=example,dc=org
objectClass: organizationalRole
objectClass: mailthing
cn: routed
mail: routed@example.org
mailacceptinggeneralid: routed
maildrop: routed@lists.example.org
memberdn: uid=a,ou=people,dc=example,dc=org

dn: cn=dangling,ou=groups,dc=example,dc=org
objectClass: organizationalRole
objectClass: mailthing
cn: dangling
mailacceptinggeneralid: dangling
memberdn: uid=gone,ou=people,dc=example,dc=org
memberdn: uid=a,ou=people,dc=example,dc=org

dn: cn=loop,ou=groups,dc=example,dc=org
objectClass: organizationalRole
objectClass: mailthing
cn: loop
mailacceptinggeneralid: loop
memberdn: cn=loop,ou=groups,dc=example,dc=org

dn: cn=url,ou=groups,dc=example,dc=org
objectClass: organizationalRole
objectClass: mailthing
cn: url
mailacceptinggeneralid: url
memberurl: ldap:///ou=people,dc=example,dc=org?mail?one?(uid=b)

dn: cn=urlall,ou=groups,dc=example,dc=org
objectClass: organizationalRole
objectClass: mailthing
cn: urlall
mailacceptinggeneralid: urlall
memberurl: <URL:ldap://elsewhere.example:1/uid=b,ou=people,dc=example,dc=org>

dn: cn=urlsub,ou=groups,dc=example,dc=org
objectClass: organizationalRole
objectClass: mailthing
cn: urlsub
mailacceptinggeneralid: urlsub
memberurl: ldap:///dc=example,dc=org?cn;lang-de,maildrop?sub?(|(uid=a)%20(uid=%62))

dn: cn=urlother,ou=groups,dc=example,dc=org
objectClass: organizationalRole
objectClass: mailthing
cn: urlother
mailacceptinggeneralid: urlother
memberurl: ldap:///dc=example,dc=org?telephoneNumber?sub?(uid=a)

dn: cn=urlgroup,ou=groups,dc=example,dc=org
objectClass: organizationalRole
objectClass: mailthing
cn: urlgroup
mailacceptinggeneralid: urlgroup
memberurl: LDAP:///ou=groups,dc=example,dc=org?memberdn,mail?one?(cn=team)

dn: cn=urlbase,ou=groups,dc=example,dc=org
objectClass: organizationalRole
objectClass: mailthing
cn: urlbase
mailacceptinggeneralid: urlbase
memberurl: ldap:///uid=nobody,dc=example,dc=org?mail?sub?

dn: cn=urlfilter,ou=groups,dc=example,dc=org
objectClass: organizationalRole
objectClass: mailthing
cn: urlfilter
mailacceptinggeneralid: urlfilter
memberurl: ldap:///dc=example,dc=org?mail?sub?(uid=a

dn: cn=urlscope,ou=groups,dc=example,dc=org
objectClass: organizationalRole
objectClass: mailthing
cn: urlscope
mailacceptinggeneralid: urlscope
memberurl: ldap:///dc=example,dc=org?mail?everything

dn: cn=baddn,ou=groups,dc=example,dc=org
objectClass: organizationalRole
objectClass: mailthing
cn: baddn
mailacceptinggeneralid: baddn
memberurl: no dn at all

dn: cn=alias,ou=groups,dc=example,dc=org
objectClass: alias
objectClass: extensibleObject
cn: alias
aliasedObjectName: uid=b,ou=people,dc=example,dc=org
`
