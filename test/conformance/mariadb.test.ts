import { mysqlSuite } from './mysql-suite.js';

mysqlSuite('mariadb');
